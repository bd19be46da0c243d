// SPDX-License-Identifier: Apache-2.0
// Certificates of containers and rights of agents between two hosts with real engines, on a real etcd: what was stolen on one
// opens nothing on the other, and what ends on one ends on both.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { dirname, join as joinPath } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readRevokedSerials } from "@fairlead/fabric/grpc/der.ts";
import { readPem } from "@fairlead/fabric/grpc/workload-codec.ts";
import type { IdentityView } from "@fairlead/protocol/identity.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import { openIdentity, type IdentityMaterial } from "@fairlead/sdk";
import { bundleProgram } from "#lab/bundle.ts";
import { startFleet, type LabFleet } from "#lab/fleet.ts";
import type { HostNode } from "#lab/host-node.ts";
import { importNode } from "#lab/images.ts";
import { until } from "#lab/rig.ts";

const PROGRAM = fileURLToPath(new URL("programs/identity-agent.ts", import.meta.url));
const PATIENCE_MS = 60_000;
/** By the handshake. */
const REFUSED = /^refused: (cannot reach|lost|the stream was reset) ?/;

const stack = new AsyncDisposableStack();
let fleet: LabFleet;
let here: HostNode;
let there: HostNode;

/** How often the authority is changed under load, what at least is between two changes, and how many calls a second there are. */
const ROTATIONS = Number(process.env["FAIRLEAD_ROTATIONS"] ?? 1);
const ROTATION_EVERY_MS = Number(process.env["FAIRLEAD_ROTATION_EVERY_MS"] ?? 0);
const RATE = Number(process.env["FAIRLEAD_ROTATION_RATE"] ?? 50);

/** On the host's own network, so that agents of two hosts dial each other. */
const agent = (name: string, host: string, more: string): string => `
  ${name}:
    image: node:lab
    command: [/usr/local/bin/node, /agent.mjs]
    network_mode: host
    stop_grace_period: 0s
    deploy: { placement: { constraints: ["node.labels.host == ${host}"] } }
    ${more}`;

const COMPOSE = `
name: vault
services:${agent("web", "h1", `labels: { fairlead.kind: agent, fairlead.identity: socket }\n    environment: { PEER: db, RATE: '${RATE}' }`)}${agent("db", "h2", "labels: { fairlead.kind: agent, fairlead.identity: files }")}${agent("thief", "h2", "labels: { fairlead.kind: agent }")}
`;

const RIGHTS = `
@id("look") permit (principal, action == Action::"call", resource);
@id("write") permit (principal == Agent::"vault/web", action == Action::"publish", resource)
  when { context.subject like "orders.*" };
@id("hear") permit (principal == Agent::"vault/db", action == Action::"subscribe", resource)
  when { context.subject like "orders.*" };
`;

/** Runs a program in a container, with bytes for it to read. */
function exec(on: HostNode, service: string, args: readonly string[], input?: string): string {
  const ways = ["-H", on.host.endpoint, "exec", "-i", `vault-${service}-1`, ...args];
  const { stdout, stderr } = spawnSync("docker", ways, { encoding: "utf8", input: input ?? "" });
  return `${stdout}${stderr}`.trim();
}

const act = (on: HostNode, service: string, ...words: readonly string[]): string =>
  exec(on, service, ["/usr/local/bin/node", "/agent.mjs", ...words]);

/** What the engine says of a container. */
function inspect(on: HostNode, service: string, format: string): string {
  const ways = ["-H", on.host.endpoint, "inspect", "-f", format, `vault-${service}-1`];
  return spawnSync("docker", ways, { encoding: "utf8" }).stdout.trim();
}

interface Tally {
  readonly count: number;
  readonly opened: number;
  readonly failed: readonly string[];
}

async function readTally(): Promise<Tally> {
  const { stdout } = await there.cli("call", "web", "echo/tally", "{}", "--scope", "vault");
  return stdout === "" ? { count: 0, opened: 0, failed: [] } : (JSON.parse(stdout) as Tally);
}

/** Where an agent listens among the hosts. */
async function findAddress(name: string, ip: string, by = there): Promise<string> {
  const { body } = await by.ask<{
    readonly items: readonly { readonly name: string; readonly addresses: readonly string[] }[];
  }>("agents?scope=vault");
  const found = body.items.find((one) => one.name === name)?.addresses ?? [];
  return found.find((one) => one.startsWith(`${ip}:`)) ?? "";
}

async function listIdentities(by: HostNode): Promise<readonly IdentityView[]> {
  return (await by.ask<{ readonly items: readonly IdentityView[] }>("identities")).body.items;
}

const serialOf = ({ cert }: { readonly cert: Buffer }): string =>
  new X509Certificate(cert).serialNumber.toLowerCase();

/** What a container has from its node, read where the host has it. */
async function steal(on: HostNode, service: string, timeoutMs = 10_000): Promise<IdentityMaterial> {
  const format = '{{range .Mounts}}{{if eq .Destination "/run/fairlead"}}{{.Source}}{{end}}{{end}}';
  const place = inspect(on, service, format);
  using identity = await openIdentity({ node: `unix:${place}/fabric.sock`, timeoutMs });
  return identity.read();
}

/** Lays files into a container. */
function give(folder: string, files: Readonly<Record<string, string | Buffer>>): void {
  const program = `
    const files = JSON.parse(require("fs").readFileSync(0, "utf8"));
    require("fs").mkdirSync("/${folder}", { recursive: true });
    for (const [name, text] of Object.entries(files)) require("fs").writeFileSync("/${folder}/" + name, text);
  `;
  const texts = Object.entries(files).map(([name, text]) => [name, text.toString()]);
  const said = exec(
    there,
    "thief",
    ["/usr/local/bin/node", "-e", program],
    JSON.stringify(Object.fromEntries(texts)),
  );
  assert.equal(said, "");
}

before(async () => {
  fleet = stack.use(
    await startFleet({
      hosts: 2,
      settings: (index) => ({ FAIRLEAD_NODE_LABELS: `host=h${index + 1}` }),
    }),
  );
  const [first, second] = fleet.nodes;
  assert.ok(first !== undefined && second !== undefined);
  [here, there] = [first, second];
  const files = { "agent.mjs": await bundleProgram(PROGRAM) };
  for (const { host } of fleet.nodes) await importNode(host, "node:lab", "", files);
  const file = here.file(COMPOSE);
  const { code, stdout, stderr } = await here.cli("up", "-f", file, "--progress", "quiet");
  assert.equal(code, 0, `${stdout}${stderr}`);
});
after(() => stack.disposeAsync());

test("agents of two hosts talk by their certificates; a ticket and a certificate of one open nothing on the other", async () => {
  await until("web has asked db", PATIENCE_MS, async () => (await readTally()).count > 10);
  const stolen = await steal(here, "web");
  assert.equal(stolen.uri, "spiffe://harbour/vault/web");
  const env = inspect(here, "web", "{{json .Config.Env}}");
  const ticket = /"FAIRLEAD_TICKET=([^"]+)"/.exec(env)?.[1] ?? "";
  assert.notEqual(ticket, "");
  assert.match(
    act(there, "thief", "pose", "web", ticket),
    /refused: vault\/web may not join with this ticket/,
  );
  give("stolen", { "ca.pem": stolen.ca, "cert.pem": stolen.cert, "key.pem": stolen.key });
  const address = await findAddress("db", there.host.ip);
  assert.match(act(there, "thief", "show", "web", address, "/stolen"), /no ticket/);
});

/** Serials of the certificates that nodes and containers have, by id. */
async function readSerials(): Promise<ReadonlyMap<string, string>> {
  const { body } = await here.ask<{ readonly items?: readonly IdentityView[] }>("identities");
  // The store may be too late to answer.
  const own = (body.items ?? []).filter(
    ({ kind, state }) => kind !== "authority" && state === "valid",
  );
  return new Map(own.map(({ uri, serial }) => [uri, serial]));
}

/** Asks one node for what both decided, over a new connection between them each time, until stopped. */
function askAllTheTime(pauseMs: number) {
  const stopping = new AbortController();
  const lacking: string[] = [];
  async function ask(): Promise<readonly string[]> {
    const { status, body } = await there.ask<{ missing?: string[] }>("decisions?limit=1");
    return body.missing ?? [`was answered with ${status}`];
  }
  const work = (async () => {
    let count = 0;
    for (; !stopping.signal.aborted; count++) {
      const missing = await ask().catch((thrown: unknown) => [String(thrown)]);
      lacking.push(...missing.map((text) => `${new Date().toISOString()} ${text}`));
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
    return count;
  })();
  return {
    async stop() {
      stopping.abort();
      return { asked: await work, lacking };
    },
    [Symbol.dispose]: () => stopping.abort(),
  };
}

test("the authority is changed while agents and nodes of both hosts talk: no call, no connection and no question fails", async (t) => {
  using questions = askAllTheTime(100);
  const changes: string[] = [];
  const earlier = await readTally();
  const beganMs = performance.now();
  for (let round = 0; round < ROTATIONS; round++) {
    const startMs = performance.now();
    changes.push(new Date().toISOString());
    let before = await readSerials();
    while (before.size === 0) before = await readSerials();
    const { code, stderr } = await (round % 2 === 0 ? here : there).cli("identity", "rotate");
    assert.equal(code, 0, stderr);
    await until("all have certificates of it", PATIENCE_MS, async () => {
      const now = await readSerials();
      return [...before].every(([uri, serial]) => now.has(uri) && now.get(uri) !== serial);
    });
    await sleep(Math.max(0, startMs + ROTATION_EVERY_MS - performance.now()));
  }
  const enough = earlier.count + 100;
  await until("web has asked on", PATIENCE_MS, async () => (await readTally()).count > enough);
  const { asked, lacking } = await questions.stop();
  const { count, opened, failed } = await readTally();
  const tookMs = performance.now() - beganMs;
  t.diagnostic(
    `${ROTATIONS} changes in ${(tookMs / 1_000).toFixed(0)} s: ${count - earlier.count} calls, ` +
      `${opened - earlier.opened} connections of agents, ${asked} questions between nodes`,
  );
  // A host without time for its own work is suspected, or late: that is told, and no certificate's doing. A link that is cut is not.
  const isLate = (text: string): boolean => /takes calls$|h\d \(it does not answer\)$/.test(text);
  const wrong = [...failed, ...lacking];
  t.diagnostic(`${wrong.filter(isLate).length} went to a host that was suspected or late`);
  assert.deepEqual(
    wrong.filter((text) => !isLate(text)),
    [],
    `changed at ${changes.join(", ")}`,
  );
  assert.ok(opened > earlier.opened && asked > 0);
});

/** Serials on the list that db has in a file. */
function readList(): readonly string[] {
  const program = "fs.readFileSync('/run/fairlead/tls/crl.pem', 'utf8')";
  const text = exec(there, "db", ["/usr/local/bin/node", "-p", program]);
  return readPem(text).flatMap(readRevokedSerials);
}

test("who is killed on one host is believed no more on the other", async (t) => {
  const stolen = await steal(here, "web");
  give("stolen", { "ca.pem": stolen.ca, "cert.pem": stolen.cert, "key.pem": stolen.key });
  const address = await findAddress("db", there.host.ip);
  const beganMs = performance.now();
  const ways = ["-H", here.host.endpoint, "kill", "-s", "KILL", "vault-web-1"];
  assert.equal(spawnSync("docker", ways).status, 0);
  await until("db's node has heard", PATIENCE_MS, () => readList().includes(serialOf(stolen)));
  t.diagnostic(`heard on the other host within ${(performance.now() - beganMs).toFixed(0)} ms`);
  const shown = act(there, "thief", "show", "web", address, "/stolen");
  // Before it says who it is: nobody asks for its ticket any more.
  assert.match(shown, REFUSED);
  await until("web is back", PATIENCE_MS, async () => {
    const found = (await listIdentities(there)).find(({ instance }) => instance === "vault-web-1");
    return found !== undefined && found.serial !== serialOf(stolen);
  });
  await until("web asks again", PATIENCE_MS, async () => (await readTally()).count > 10);
});

test("what a person takes back on one host is believed no more on the other, and who had it runs on", async () => {
  const stolen = await steal(here, "web");
  give("stolen", { "ca.pem": stolen.ca, "cert.pem": stolen.cert, "key.pem": stolen.key });
  const address = await findAddress("db", there.host.ip);
  const startedAt = inspect(here, "web", "{{.State.StartedAt}}");
  const revoked = await there.cli("identity", "revoke", "vault-web-1", "--reason", "key was seen");
  assert.equal(revoked.code, 0, revoked.stderr);
  assert.ok(revoked.stderr.includes(`${serialOf(stolen)} of vault-web-1`), revoked.stderr);
  await until("db has heard", PATIENCE_MS, () => readList().includes(serialOf(stolen)));
  assert.match(act(there, "thief", "show", "web", address, "/stolen"), REFUSED);
  const another = await steal(here, "web");
  assert.notEqual(serialOf(another), serialOf(stolen));
  assert.equal(inspect(here, "web", "{{.State.StartedAt}}"), startedAt);
  const { count } = await readTally();
  await until("web asks on", PATIENCE_MS, async () => (await readTally()).count > count + 5);
  const listed = await there.cli("identity", "ls", "--revoked", "-o", "wide");
  assert.match(listed.stdout, new RegExp(`vault/web .*revoked .*given by h1.*${serialOf(stolen)}`));
  const why = await here.cli("why", "web", "--scope", "vault");
  assert.match(why.stdout, /revoked the certificates of vault-web-1[^]*key was seen/);
  const audit = await there.cli("audit", "ls");
  assert.match(audit.stdout, /DELETE \/v1\/identities\/vault-web-1/);
  const nobody = await there.cli("identity", "revoke", "vault-nobody-1");
  assert.equal(nobody.code, 2);
  assert.match(nobody.stderr, /FL0701/);
});

test("rights for publishing and hearing hold on both hosts, whichever node they were given to", async () => {
  const file = joinPath(dirname(here.file(COMPOSE)), "vault.cedar");
  writeFileSync(file, RIGHTS);
  const { code, stderr } = await here.cli("rights", "apply", "-f", file, "--scope", "vault");
  assert.equal(code, 0, stderr);
  const tells = async (on: HostNode, service: string, words: readonly string[], wanted: RegExp) => {
    let said = "";
    await until(`${service} ${words.join(" ")}`, PATIENCE_MS, () => {
      said = act(on, service, ...words);
      return wanted.test(said);
    }).catch(() => assert.match(said, wanted));
  };
  await tells(there, "thief", ["publish", "orders.new"], /thief may not publish/);
  await tells(there, "thief", ["hear", "orders.>"], /thief may not subscribe/);
  await tells(there, "db", ["hear", "orders.>"], /^hears$/);
  await tells(there, "db", ["publish", "orders.new"], /db may not publish/);
  await tells(here, "web", ["publish", "orders.new"], /^was kept$/);
  await tells(here, "web", ["publish", "secrets.new"], /web may not publish/);
  await tells(here, "web", ["hear", "orders.>"], /web may not subscribe/);
});

test("a node that starts while the store is away gives no certificates, and says why", async () => {
  const [etcd] = fleet.etcd.members;
  assert.ok(etcd !== undefined);
  await etcd.signal("SIGKILL");
  await there.signal("SIGKILL");
  await there.start();
  await assert.rejects(steal(there, "thief", 1_500), (thrown) => {
    assert.match(String(thrown), /fleet's store has said which authority signs/);
    return true;
  });
  const { stdout } = await there.cli("doctor", "--only", "certificates");
  assert.match(stdout, /FL2004/);
  await etcd.start();
  await until(
    "it gives them again",
    PATIENCE_MS,
    async () =>
      (await steal(there, "thief", 1_500).catch(() => undefined))?.uri ===
      "spiffe://harbour/vault/thief",
  );
});

test("what a host has given that is lost and removed is believed no more", async () => {
  const stolen = await steal(there, "db");
  const { body } = await here.ask<{ readonly items: readonly NodeView[] }>("nodes");
  const id = body.items.find(({ name }) => name === there.host.name)?.id ?? "";
  const note = `/fairlead/fleets/harbour/given/${id}/${serialOf(stolen)}`;
  await until("the store knows of it", PATIENCE_MS, async () => {
    return (await fleet.etcd.count(note)) === 1;
  });
  give("stolen", { "ca.pem": stolen.ca, "cert.pem": stolen.cert, "key.pem": stolen.key });
  await there.signal("SIGKILL");
  await until("it may be removed", PATIENCE_MS, async () => {
    const { code } = await here.cli("nodes", "rm", there.host.name, "--reason", "burnt down");
    return code === 0;
  });
  const listed = await here.cli("identity", "ls", "--revoked", "-o", "wide");
  assert.match(listed.stdout, new RegExp(`vault/db .*given by h2.*${serialOf(stolen)}`));
  const address = await findAddress("web", here.host.ip, here);
  // Its container runs on, as the engine does.
  await until("web has heard", PATIENCE_MS, () =>
    REFUSED.test(act(there, "thief", "show", "db", address, "/stolen")),
  );
});
