// SPDX-License-Identifier: Apache-2.0
// A container that Fairlead started finds other services by Fairlead's DNS, with nothing said in its file.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { after, before, test } from "node:test";
import { z } from "zod";
import { callEngine } from "#lab/call-engine.ts";
import { IMAGE, openRig, until, type Rig } from "#lab/rig.ts";
import { runProgram } from "#lab/run-program.ts";
import type { InstanceFact } from "#model/facts.ts";

/** Of the engine's own bridge, where containers of all networks reach the host. */
const BRIDGE = "172.30.7.1";
/** For documentation: nobody answers there. */
const UPSTREAM = "198.51.100.53";
const Inspected = z.object({
  State: z.object({ Pid: z.number() }),
  HostConfig: z.object({ Dns: z.array(z.string()) }),
});

let rig: Rig;

before(async () => {
  rig = await openRig({
    inside: true,
    flags: [`--bip=${BRIDGE}/24`],
    env: {
      FAIRLEAD_DNS_LISTEN: `${BRIDGE}:53`,
      FAIRLEAD_DNS_UPSTREAMS: `${UPSTREAM}:53,127.0.0.53:53`,
    },
  });
  await rig.startNode();
  const folder = joinPath(rig.directory, "stack");
  mkdirSync(folder);
  for (const [name, text] of Object.entries({
    shop: `
name: shop
services:
  web: { image: ${IMAGE}, stop_grace_period: 0s, deploy: { replicas: 2 } }
  asker: { image: ${IMAGE}, stop_grace_period: 0s }
`,
    // Another network: only the node knows both.
    store: `
name: store
services:
  db: { image: ${IMAGE}, stop_grace_period: 0s }
`,
  })) {
    const file = joinPath(folder, `${name}.yaml`);
    writeFileSync(file, text);
    const up = await rig.cli(["up", "-f", file, "--progress", "quiet"]);
    assert.equal(up.code, 0, up.stderr);
  }
});
after(async () => {
  await rig?.[Symbol.asyncDispose]();
});

const list = async (scope: string, service: string): Promise<readonly InstanceFact[]> =>
  (await rig.engine.listInstances()).filter(
    (one) => one.scope === scope && one.service === service,
  );
const addressesOf = (instances: readonly InstanceFact[]): readonly string[] =>
  instances.flatMap(({ addresses }) => Object.values(addresses)).toSorted();

async function inspect(instance: InstanceFact): Promise<z.infer<typeof Inspected>> {
  const { body } = await callEngine(rig.lab, "GET", `/containers/${instance.id}/json`);
  return Inspected.parse(body);
}

/** Addresses that nslookup finds inside of the container. */
async function lookUp(name: string): Promise<readonly string[]> {
  const [asker] = await list("shop", "asker");
  assert.ok(asker !== undefined);
  const { Pid } = (await inspect(asker)).State;
  let said = "";
  try {
    said = runProgram("nsenter", ["-t", `${Pid}`, "-n", "-m", "/bin/nslookup", name]);
  } catch {
    // Nothing of that name; busybox exits with 1.
    return [];
  }
  const answer = said.slice(said.indexOf("Name:"));
  return [...answer.matchAll(/^Address[^:]*:\s+(\d+\.\d+\.\d+\.\d+)$/gm)]
    .map(([, one = ""]) => one)
    .toSorted();
}

test("a container finds the services of its scope and of others by name, and not what is gone", async () => {
  const web = await list("shop", "web");
  assert.equal(web.length, 2);
  assert.deepEqual(await lookUp("web.shop.fairlead.internal"), addressesOf(web));
  assert.deepEqual(
    await lookUp("db.store.fairlead.internal"),
    addressesOf(await list("store", "db")),
  );
  assert.deepEqual(await lookUp("none.shop.fairlead.internal"), []);
  const scaled = await rig.cli(["down", "--scope", "store"]);
  assert.equal(scaled.code, 0, scaled.stderr);
  await until(
    "the name is gone",
    20_000,
    async () => (await lookUp("db.store.fairlead.internal")).length === 0,
  );
});

test("it is told the host's name servers too, for the time when the node is away", async () => {
  const [asker] = await list("shop", "asker");
  assert.ok(asker !== undefined);
  assert.deepEqual((await inspect(asker)).HostConfig.Dns, [BRIDGE, UPSTREAM]);
});
