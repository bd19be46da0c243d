// SPDX-License-Identifier: Apache-2.0
// Agents of a real node are held to a topology, and wired anew when they come and go.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { after, before, test } from "node:test";
import { dial } from "@fairlead/fabric/grpc/dial.ts";
import { encodeJson } from "@fairlead/fabric/json.ts";
import { Link } from "@fairlead/fabric/link.ts";
import { JOINING } from "@fairlead/protocol/testing/record-of.ts";
import { contract, join, rpc, type Agent } from "@fairlead/sdk";
import { z } from "zod";
import { openRig, until, type Rig } from "#lab/rig.ts";

const echo = contract("echo", "1.0.0", { say: rpc({ in: z.string(), out: z.string() }) });
const NAMES = ["a", "b", "c", "d", "e"];

const method = (name: string, streams: boolean) => ({
  target: "",
  method: name,
  deadlineMs: 0,
  caller: "",
  proof: "",
  hops: 0,
  idempotent: true,
  streams,
});

let rig: Rig;
const agents = new Map<string, Agent>();

async function enter(name: string, direct: boolean): Promise<Agent> {
  const node = `unix:${rig.directory}/fabric/fabric.sock`;
  const agent = await join({
    name,
    scope: "ring",
    node,
    ...(direct ? {} : { listen: false as const }),
  });
  await agent.serve(echo, { say: (text, { caller }) => `${name} heard ${text} of ${caller.name}` });
  agents.set(name, agent);
  return agent;
}

before(async () => {
  rig = await openRig();
  await rig.startNode();
  for (const [index, name] of NAMES.entries()) await enter(name, index % 2 === 0);
});
after(async () => {
  for (const agent of agents.values()) await agent[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

const ring = (...args: readonly string[]) => rig.cli([...args, "--scope", "ring"]);

async function declare(text: string): Promise<void> {
  const file = joinPath(rig.directory, "topology.yaml");
  writeFileSync(file, text);
  const { code, stderr } = await ring("topology", "set", file);
  assert.equal(code, 0, stderr);
}

const say = (from: string, to: string) => {
  const agent = agents.get(from);
  assert.ok(agent !== undefined);
  return agent.client(echo, { agent: to }).say.try("hi", { timeout: "5s" });
};

interface Seen {
  readonly from: string;
  readonly to: string;
  readonly used: number;
  readonly refused: number;
}

interface View {
  readonly observed: { readonly silent: readonly string[] };
  readonly drift: Readonly<
    Record<"used" | "unused" | "unknown" | "undeclared" | "refused", Seen[]>
  >;
  readonly awaited: readonly string[];
  readonly graph: {
    readonly links: readonly { from: string; to: string }[];
    readonly hub?: string;
  };
}

async function readLinks(): Promise<readonly string[]> {
  const { body } = await rig.ask<View>("scopes/ring/topology");
  return body.graph.links.map(({ from, to }) => `${from}${to}`).toSorted();
}

test("without a topology everybody may talk to everybody, and the map shows who does", async () => {
  // a and c listen, so that they talk past their node and tell it; b and d do not, so that it sees for itself.
  for (const [from = "", to = ""] of ["ac", "ac", "bd"])
    assert.deepEqual(await say(from, to), { ok: true, value: `${to} heard hi of ${from}` });
  const read = async () => (await rig.ask<{ links: Seen[] }>("scopes/ring/links")).body.links;
  await until("both are known", 10_000, async () => (await read()).length === 2);
  assert.deepEqual(
    (await read()).map(({ from, to, used }) => [from, to, used]),
    [
      ["a", "c", 2],
      ["b", "d", 1],
    ],
  );
  const { code, stdout, stderr } = await ring("map");
  assert.equal(code, 0, stderr);
  assert.match(stderr, /no topology: everybody may talk to everybody/);
  assert.match(stdout, /^2 links in use by 5 agents .*\n\na → c \(2\)\nb → d \(1\)\nc ·/);
  assert.match((await ring("map", "--csv")).stdout, /^,a,b,c,d,e\na,0,0,1,0,0$/m);
  assert.match((await ring("map", "--dot")).stdout, /"a" -> "c" \[label="2"\];/);
});

test("a ring refuses what has no link, with the neighbours, directly and through the node", async () => {
  await declare("kind: ring\n");
  assert.equal((await readLinks()).length, 5);
  const links = await readLinks();
  for (const from of NAMES) {
    for (const to of NAMES.filter((name) => name !== from)) {
      const outcome = await say(from, to);
      const linked = links.includes(from + to) || links.includes(to + from);
      assert.equal(outcome.ok, linked, `${from} to ${to}`);
      if (!outcome.ok) {
        assert.deepEqual(
          [outcome.error.code, outcome.error.reason],
          ["permission_denied", "no-link"],
        );
        assert.match(outcome.error.facts["links to"] ?? "", /^[a-e], [a-e]$/);
      }
    }
  }
});

test("links that nobody uses, and tries that were refused, are drift", async () => {
  // An agent by the bare protocol: it tells nothing, and that is said.
  const link = new Link({
    transport: await dial({ address: `unix:${rig.directory}/fabric/fabric.sock` }),
    dialled: true,
    self: { id: "mute.1", name: "mute", scope: "ring" },
    accept: () => undefined,
  });
  await link.ready;
  link.open(method("$node/join", true), { payload: encodeJson(JOINING) });
  const view = async () => (await rig.ask<View>("scopes/ring/topology")).body;
  await until("it is a member", 10_000, async () => (await readLinks()).length === 6);
  const links = await readLinks();
  const [first = ""] = links.filter((one) => !one.includes("m"));
  const [used = "", to = ""] = first;
  const other = NAMES.find(
    (name) => name !== used && !links.includes(used + name) && !links.includes(name + used),
  );
  await until("they may talk", 10_000, async () => (await say(used, to)).ok);
  for (let turn = 0; turn < 3; turn++) assert.equal((await say(used, other ?? "")).ok, false);
  const name = (seen: readonly Seen[]) => seen.map(({ from, to: end }) => from + end).sort();
  await until("the tries are known", 10_000, async () =>
    (await view()).drift.refused.some(
      ({ from, to: end, refused }) =>
        (from === used ? end === other : from === other && end === used) && refused >= 3,
    ),
  );
  const { drift, observed } = await view();
  assert.ok(name(drift.used).includes(first));
  assert.deepEqual(observed.silent, ["mute"]);
  assert.ok(name(drift.unknown).every((one) => one.includes("mute")));
  assert.equal(drift.used.length + drift.unused.length + drift.unknown.length, 6);
  const why = await ring("why", used, "--to", other ?? "");
  assert.equal(why.code, 0, why.stderr);
  const refusal = `^the topology has no link from ${used} to ${other} \\(refused \\d tries\\): ${used} has links to `;
  assert.match(why.stdout, new RegExp(refusal));
  assert.match((await ring("why", used, "--to", to)).stdout, /^the topology links /);
  const { stdout } = await ring("map");
  assert.match(stdout, /\ndeclared, use not known: /);
  assert.match(stdout, new RegExp(`\nrefused tries: .*[${used}${other}] ─ [${used}${other}] \\(`));
  assert.match(stdout, /\nnot told by, so not known of: mute\n/);
  link.close();
  await until("it is gone", 10_000, async () => (await readLinks()).length === 5);
});

test("with relay it is passed on from member to member, and the answer knows who asked first", async () => {
  await declare("kind: ring\nrelay: true\n");
  for (const from of NAMES)
    for (const to of NAMES.filter((name) => name !== from))
      assert.deepEqual(await say(from, to), { ok: true, value: `${to} heard hi of ${from}` });
});

test("people may talk to every member", async () => {
  const { code, stdout } = await ring("call", "c", "echo/say", '"hi"');
  assert.equal(code, 0);
  assert.match(stdout, /c heard hi of cli-\d+/);
});

test("when a member leaves, the ring closes; the decision says what changed and why", async () => {
  const before_ = await readLinks();
  const watcher = agents.get("a");
  await agents.get("c")?.[Symbol.asyncDispose]();
  agents.delete("c");
  assert.ok(watcher !== undefined);
  let links = await readLinks();
  for (let turn = 0; turn < 100 && links.length !== 4; turn++) {
    await watcher.find();
    links = await readLinks();
  }
  assert.equal(links.length, 4);
  assert.ok(links.every((link) => !link.includes("c")));
  assert.equal(links.filter((link) => !before_.includes(link)).length, 1);
  // The node has closed it; its members hear of their links a moment later.
  for (const from of ["a", "b", "d", "e"])
    for (const to of ["a", "b", "d", "e"].filter((name) => name !== from))
      await until(`${from} to ${to}`, 5_000, async () => (await say(from, to)).ok);
  const { stdout } = await rig.cli(["decisions", "-A", "-o", "json"]);
  const { items } = JSON.parse(stdout) as { items: { act: string; trigger: { detail: string } }[] };
  const [last] = items.filter(({ act }) => act === "topology.rewire");
  assert.match(last?.trigger.detail ?? "", /c/);
});

test("a star elects another hub when its hub is lost", async () => {
  await declare("kind: star\nhub: b\n");
  const hub = async () => (await rig.ask<View>("scopes/ring/topology")).body.graph.hub;
  assert.equal(await hub(), "b");
  assert.equal((await say("a", "d")).ok, false);
  await agents.get("b")?.[Symbol.asyncDispose]();
  agents.delete("b");
  let elected = await hub();
  for (let turn = 0; turn < 100 && elected === "b"; turn++) elected = await hub();
  assert.equal(elected, "a");
  // The node has elected it; the two hear of their link a moment later.
  await until("they may talk", 5_000, async () => (await say("a", "d")).ok, 10);
});

/** How often the agents were wired so far. */
async function countRewirings(): Promise<number> {
  const { stdout } = await rig.cli(["decisions", "-A", "-o", "json"]);
  const { items } = JSON.parse(stdout) as { items: { act: string }[] };
  return items.filter(({ act }) => act === "topology.rewire").length;
}

test("the topology outlives the node, which wires nobody anew when all come back", async () => {
  const [before_, rewirings] = [await readLinks(), await countRewirings()];
  assert.deepEqual(before_, ["ad", "ae"]);
  await rig.endNode("SIGKILL");
  await rig.startNode();
  assert.deepEqual(await readLinks(), before_);
  const awaited = async () => (await rig.ask<View>("scopes/ring/topology")).body.awaited;
  await until("all are back", 10_000, async () => (await awaited()).length === 0);
  await until("they may talk", 5_000, async () => (await say("a", "d")).ok);
  assert.equal((await say("e", "d")).ok, false);
  assert.deepEqual(await readLinks(), before_);
  assert.equal(await countRewirings(), rewirings);
});

test("it is shown as map, CSV and DOT, and can be removed, which is a decision", async () => {
  const map = await ring("map");
  assert.equal(map.code, 0, map.stderr);
  assert.match(map.stdout, /star/);
  assert.match((await ring("map", "--csv")).stdout, /^,a,d,e$/m);
  assert.match((await ring("map", "--dot")).stdout, /^(strict )?graph/);
  assert.equal((await ring("topology", "rm")).code, 0);
  const { stdout } = await rig.cli(["decisions", "-A", "-o", "json"]);
  const { items } = JSON.parse(stdout) as { items: { act: string; outcome: string }[] };
  assert.deepEqual([items[0]?.act, items[0]?.outcome], ["topology.remove", "done"]);
  assert.equal((await rig.ask("scopes/ring/topology")).status, 404);
  const { items: freed } = JSON.parse((await ring("map", "-o", "json")).stdout) as {
    items: { links: unknown[] }[];
  };
  assert.ok(Array.isArray(freed[0]?.links));
});

test("a file that is no topology changes nothing and says where it is wrong", async () => {
  const file = joinPath(rig.directory, "wrong.yaml");
  writeFileSync(file, "kind: circle\n");
  const { code, stderr } = await ring("topology", "set", file);
  assert.equal(code, 2);
  assert.match(stderr, /kind/);
  assert.equal((await ring("topology", "set", "none.yaml")).code, 2);
});
