// SPDX-License-Identifier: Apache-2.0
// examples/topology as its README says: real containers talk along a ring, a star and a mesh, and are wired anew.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { importNode } from "#lab/images.ts";
import { openRig, until, type Rig } from "#lab/rig.ts";
import { buildSdk } from "../../scripts/build-sdk.ts";

const EXAMPLE = fileURLToPath(new URL("../../examples/topology/", import.meta.url));
const NAMES = ["ann", "bob", "cyd", "dan", "eve", "fay"];

let rig: Rig;

before(async () => {
  rig = await openRig();
  await importNode(rig.lab, "fairlead-example/node:24", "");
  await buildSdk();
  await rig.startNode();
  const { code, stderr } = await rig.cli([
    "up",
    "-f",
    `${EXAMPLE}compose.yaml`,
    "--progress",
    "quiet",
  ]);
  assert.equal(code, 0, stderr);
  await until(
    "all agents have joined",
    30_000,
    async () => (await readNames()).join() === NAMES.join(),
  );
});
after(async () => {
  await rig[Symbol.asyncDispose]();
});

const cli = (...args: readonly string[]) => rig.cli([...args, "--scope", "topology"]);

async function readNames(): Promise<readonly string[]> {
  const { body } = await rig.ask<{ items: { name: string }[] }>("agents?scope=topology");
  return body.items.map(({ name }) => name).toSorted();
}

interface View {
  readonly graph: {
    readonly members: readonly string[];
    readonly links: readonly object[];
    readonly hub?: string;
  };
}
const readGraph = async () => (await rig.ask<View>("scopes/topology/topology")).body.graph;

async function declare(kind: string): Promise<void> {
  const { code, stderr } = await cli("topology", "set", `${EXAMPLE}${kind}.yaml`);
  assert.equal(code, 0, stderr);
}

/** Waits until the last line of an agent's log is like this. */
async function awaitLine(name: string, line: RegExp): Promise<void> {
  await until(`${name} says ${String(line)}`, 20_000, async () => {
    const { stdout } = await cli("logs", name, "--no-prefix", "--tail", "1");
    return line.test(stdout);
  });
}

test("a ring: each reaches two and is refused the others", async () => {
  await awaitLine("ann", /^told bob cyd dan eve fay; no link to nobody/);
  await declare("ring");
  assert.equal((await readGraph()).links.length, 6);
  await awaitLine("ann", /^told \w+ \w+; no link to \w+ \w+ \w+\n/);
});

test("a star: everybody is reached through the hub; the hub killed, another is elected, and it comes back", async () => {
  await declare("star");
  assert.equal((await readGraph()).hub, "ann");
  await awaitLine("eve", /^told ann bob cyd dan fay; no link to nobody/);
  await rig.engine.killInstance("topology-ann-1", { decision: "test", signalName: "SIGKILL" });
  await until("the hub is healed and back", 20_000, async () => {
    const { stdout } = await cli("decisions", "-o", "json");
    const { items } = JSON.parse(stdout) as { items: { act: string; inputs: { hub?: string } }[] };
    const hubs = items
      .filter(({ act }) => act === "topology.rewire")
      .map(({ inputs }) => inputs.hub);
    return (
      hubs.some((hub) => hub !== undefined && hub !== "ann") &&
      (await readGraph()).members.length === 6
    );
  });
  await awaitLine("eve", /^told ann bob cyd dan fay; no link to nobody/);
});

test("a mesh: three links each, and everybody is reached", async () => {
  await declare("mesh");
  assert.equal((await readGraph()).links.length, 9);
  await awaitLine("fay", /^told ann bob cyd dan eve; no link to nobody/);
  assert.match((await cli("map")).stdout, /mesh/);
});
