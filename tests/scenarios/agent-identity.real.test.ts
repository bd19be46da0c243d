// SPDX-License-Identifier: Apache-2.0
// Containers get certificates that say who they are: by the engine's word, not by theirs. What is stolen of them opens nothing.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { IdentityView } from "@fairlead/protocol/identity.ts";
import { openIdentity } from "@fairlead/sdk";
import { issueCredential, makeAuthority, makeKey } from "#identity/authority.ts";
import { bundleProgram } from "#lab/bundle.ts";
import { importNode } from "#lab/images.ts";
import { IMAGE, openRig, until, type Rig } from "#lab/rig.ts";

const PROGRAM = fileURLToPath(new URL("programs/identity-agent.ts", import.meta.url));
const PATIENCE_MS = 60_000;
const NODE_NAME = "harbour-1";
let rig: Rig;
let file: string;

const agent = (name: string, label: string, more = ""): string =>
  `  ${name}:\n    image: node:lab\n    command: [/usr/local/bin/node, /agent.mjs]\n` +
  `    stop_grace_period: 0s\n    volumes: ["./agent.mjs:/agent.mjs:ro"]\n` +
  `    labels: { fairlead.kind: agent${label} }\n${more}`;

before(async () => {
  rig = await openRig({ env: { FAIRLEAD_NODE_NAME: NODE_NAME } });
  await importNode(rig.lab, "node:lab", "");
  await rig.startNode();
  const folder = joinPath(rig.directory, "stack");
  mkdirSync(folder);
  file = joinPath(folder, "compose.yaml");
  writeFileSync(joinPath(folder, "agent.mjs"), await bundleProgram(PROGRAM));
  const agents =
    agent("web", ", fairlead.identity: socket", "    environment: { PEER: db }\n") +
    agent("db", ", fairlead.identity: files") +
    agent("thief", "");
  const plain =
    `  plain:\n    image: ${IMAGE}\n    stop_grace_period: 0s\n` +
    `    labels: { fairlead.identity: "files ttl=15m" }\n`;
  writeFileSync(file, `name: vault\nservices:\n${agents}${plain}`);
  const { code, stderr } = await rig.cli(["up", "-f", file, "--progress", "quiet"]);
  assert.equal(code, 0, stderr);
});
after(async () => {
  await rig[Symbol.asyncDispose]();
});

/** Runs a program in a container. */
function run(container: string, ...args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(
    "docker",
    ["-H", rig.lab.endpoint, "exec", `vault-${container}-1`, ...args],
    { encoding: "utf8" },
  );
  return `${stdout}${stderr}`.trim();
}

const act = (container: string, ...args: readonly string[]): string =>
  run(container, "/usr/local/bin/node", "/agent.mjs", ...args);

/** The environment that a container was given. */
async function readEnv(container: string): Promise<readonly string[]> {
  const raw = await rig.engine.inspectRaw(`vault-${container}-1`);
  return ((raw?.["Config"] ?? {}) as { readonly Env?: readonly string[] }).Env ?? [];
}

/** Where the host has what a container sees. */
async function findPlace(container: string): Promise<string> {
  const raw = await rig.engine.inspectRaw(`vault-${container}-1`);
  const mounts = (raw?.["Mounts"] ?? []) as readonly { Source: string; Destination: string }[];
  return mounts.find(({ Destination }) => Destination === "/run/fairlead")?.Source ?? "";
}

const readPlain = (): X509Certificate =>
  new X509Certificate(run("plain", "cat", "/run/fairlead/tls/cert.pem"));

async function listIdentities(): Promise<readonly IdentityView[]> {
  const { body } = await rig.ask<{ readonly items: readonly IdentityView[] }>("identities");
  return body.items;
}

interface Tally {
  readonly count: number;
  readonly failed: readonly string[];
}

async function readTally(): Promise<Tally> {
  const { stdout, stderr } = await rig.cli(["call", "web", "echo/tally", "{}", "--scope", "vault"]);
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout) as Tally;
}

test("a container is who the engine says: by its socket, and in files when it asks for them", async () => {
  assert.equal(act("web", "who"), `spiffe://${NODE_NAME}/vault/web`);
  assert.equal(act("thief", "who"), `spiffe://${NODE_NAME}/vault/thief`);
  const leaf = readPlain();
  assert.equal(
    leaf.subjectAltName,
    `URI:spiffe://${NODE_NAME}/vault/plain, DNS:plain.vault.fairlead.internal`,
  );
  const ca = new X509Certificate(run("plain", "cat", "/run/fairlead/tls/ca.pem"));
  assert.ok(leaf.verify(ca.publicKey));
  const leftMs = leaf.validToDate.getTime() - Date.now();
  assert.ok(leftMs > 0 && leftMs <= 15 * 60_000, `${leftMs}`);
  assert.match(run("plain", "sh", "-c", "echo x > /run/fairlead/x"), /Read-only/);
  const { stdout } = await rig.cli(["identity", "ls"]);
  assert.match(
    stdout,
    /^spiffe:\/\/harbour-1\/vault\/plain +instance +valid +1[45]m +vault-plain-1$/m,
  );
  const shown = await rig.cli(["inspect", "vault-plain-1"]);
  assert.match(shown.stdout, /"identity": \{\s+"kind": "instance",\s+"uri": "spiffe:\/\/harbour-1/);
});

test("two agents talk by these certificates, and go on while the authority changes", async () => {
  await until("web has asked db", PATIENCE_MS, async () => (await readTally()).count > 10);
  const before = readPlain();
  const { code, stderr } = await rig.cli(["identity", "rotate"]);
  assert.equal(code, 0, stderr);
  await until(
    "another certificate",
    PATIENCE_MS,
    () => !readPlain().checkIssued(before) && readPlain().serialNumber !== before.serialNumber,
  );
  const at = (await readTally()).count;
  await until("web has asked on", PATIENCE_MS, async () => (await readTally()).count > at + 10);
  assert.deepEqual((await readTally()).failed, []);
});

test("a stolen ticket, a stolen certificate and a forged one open nothing in another container", async () => {
  const ticket = (await readEnv("web")).find((entry) => entry.startsWith("FAIRLEAD_TICKET=")) ?? "";
  const stolen = ticket.slice("FAIRLEAD_TICKET=".length);
  assert.match(act("thief", "pose", "web", stolen), /refused: this socket is that of vault\/thief/);
  const noted = await rig.cli(["audit", "ls", "--kind", "refused"]);
  assert.match(noted.stdout, /vault\/thief +join of an agent/, noted.stdout + noted.stderr);
  // With its key, as from the memory of the one who was robbed.
  using identity = await openIdentity({ node: `unix:${await findPlace("web")}/fabric.sock` });
  const { ca, cert, key } = identity.read();
  const { body } = await rig.ask<{
    readonly items: readonly { readonly name: string; readonly addresses: readonly string[] }[];
  }>("agents?scope=vault");
  const address = body.items.find(({ name }) => name === "db")?.addresses[0] ?? "";
  const give = (folder: string, files: Readonly<Record<string, string | Buffer>>): void => {
    run("thief", "/usr/local/bin/node", "-e", `require("fs").mkdirSync("/${folder}")`);
    for (const [name, text] of Object.entries(files))
      spawnSync(
        "docker",
        [
          "-H",
          rig.lab.endpoint,
          "exec",
          "-i",
          "vault-thief-1",
          "/usr/local/bin/node",
          "-e",
          `process.stdin.pipe(require("fs").createWriteStream("/${folder}/${name}"))`,
        ],
        { input: text },
      );
  };
  give("stolen", { "ca.pem": ca, "cert.pem": cert, "key.pem": key });
  assert.match(act("thief", "show", "web", address, "/stolen"), /no ticket/);
  // Of an authority of the thief's own, under the same name; and one that has run out.
  const nowMs = Date.now();
  const forger = await makeAuthority({ trustDomain: NODE_NAME, nowMs });
  const uri = `spiffe://${NODE_NAME}/vault/web`;
  const forged = await issueCredential(forger, { uri, key: await makeKey(), nowMs });
  give("forged", { "ca.pem": ca, "cert.pem": forged.certificate, "key.pem": forged.key });
  assert.match(act("thief", "show", "web", address, "/forged"), /refused: /);
});

test("a container that was killed is given none; its next life has another", async () => {
  const before = readPlain().serialNumber.toLowerCase();
  await rig.engine.killInstance("vault-plain-1", { decision: "test", signalName: "SIGKILL" });
  await until("healed", PATIENCE_MS, async () => {
    const found = (await listIdentities()).find(({ instance }) => instance === "vault-plain-1");
    return found !== undefined && found.serial !== before;
  });
  assert.notEqual(readPlain().serialNumber.toLowerCase(), before);
});

test("a node that starts again knows who is who, and what is removed leaves nothing", async () => {
  await rig.endNode("SIGKILL");
  await rig.startNode();
  await until("it knows them", PATIENCE_MS, async () => {
    const names = (await listIdentities()).map(({ instance = "" }) => instance);
    return names.includes("vault-plain-1") && names.includes("vault-db-1");
  });
  assert.equal(act("web", "who"), `spiffe://${NODE_NAME}/vault/web`);
  const { code, stderr } = await rig.cli(["down", "--scope", "vault"]);
  assert.equal(code, 0, stderr);
  const places = joinPath(rig.directory, "fabric", "places");
  await until("nothing is left", PATIENCE_MS, () => readdirSync(places).length === 0);
});
