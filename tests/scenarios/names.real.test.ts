// SPDX-License-Identifier: Apache-2.0
// DNS of a real node: what it answers follows the containers.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { test } from "node:test";
import { Resolver } from "node:dns/promises";
import { IMAGE, openRig } from "#lab/rig.ts";

test("services are names, with the instances that are well, within a moment of a change", async () => {
  const previous = process.env["FAIRLEAD_DNS_LISTEN"];
  process.env["FAIRLEAD_DNS_LISTEN"] = "127.0.0.1:15353";
  try {
    await using rig = await openRig();
    await rig.startNode();
    const folder = joinPath(rig.directory, "stack");
    mkdirSync(folder);
    const file = joinPath(folder, "compose.yaml");
    writeFileSync(
      file,
      `name: shop\nservices:\n  web:\n    image: ${IMAGE}\n    stop_grace_period: 0s\n    deploy: { replicas: 2 }\n    labels: { fairlead.heal: "off" }\n`,
    );
    const up = await rig.cli(["up", "-f", file, "--progress", "quiet"]);
    assert.equal(up.code, 0, up.stderr);
    const resolver = new Resolver();
    resolver.setServers(["127.0.0.1:15353"]);
    const ask = (): Promise<string[]> =>
      resolver.resolve4("web.shop.fairlead.internal").catch(() => []);
    const instances = await rig.engine.listInstances();
    const addresses = instances.flatMap((one) => Object.values(one.addresses)).toSorted();
    assert.equal(addresses.length, 2);
    assert.deepEqual((await ask()).toSorted(), addresses);
    const [first] = instances;
    assert.ok(first !== undefined);
    await rig.engine.killInstance(first.id, { decision: "test", signalName: "SIGKILL" });
    const gone = Object.values(first.addresses)[0] ?? "";
    let answer = await ask();
    for (let turn = 0; turn < 200 && answer.includes(gone); turn++) answer = await ask();
    assert.deepEqual(
      answer,
      addresses.filter((address) => address !== gone),
    );
    await assert.rejects(resolver.resolve4("none.shop.fairlead.internal"), { code: "ENOTFOUND" });
    await rig.cli(["down", "--scope", "shop", "--progress", "quiet"]);
  } finally {
    if (previous === undefined) delete process.env["FAIRLEAD_DNS_LISTEN"];
    else process.env["FAIRLEAD_DNS_LISTEN"] = previous;
  }
});
