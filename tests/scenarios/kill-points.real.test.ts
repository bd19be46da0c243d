// SPDX-License-Identifier: Apache-2.0
// Making a container takes several writes. The node is killed before the first and after each of them (what the engine has
// before a write is what it had after the one before): what comes up afterwards is whole, and nothing else is there. So is
// the removal.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { IMAGE, until } from "#lab/rig.ts";
import { openScenario, type Scenario } from "./scenario.ts";

const CONTENT = "by content";
const compose = (version: number): string => `
name: point
networks: { front: {}, back: {} }
volumes: { data: {} }
configs: { settings: { content: "${CONTENT} ${version}" } }
services:
  db:
    image: ${IMAGE}
    stop_grace_period: 0s
    networks: [front, back]
    volumes: ["data:/data", "/scratch"]
    configs: [settings]
`;

/** The writes of a create in their order, by what their path has. */
const WRITES = ["/containers/create?", "/connect", "/archive?", "/rename?", "/start"];

describe("killed at each write of making a container, the node makes it whole", () => {
  let scenario: Scenario;
  let version = 0;
  before(async () => {
    scenario = await openScenario();
  });
  after(() => scenario?.[Symbol.asyncDispose]());

  /** Asks for something, kills the node at that write, and starts it again. */
  async function killWhile(
    args: readonly string[],
    write: string,
    when: "before" | "after",
  ): Promise<void> {
    const { proxy, rig } = scenario;
    proxy.forget();
    const isMeant = ({ path, method }: { path: string; method: string }): boolean =>
      method !== "GET" && path.includes(write);
    if (when === "before") proxy.hang(isMeant);
    else proxy.mute(isMeant);
    const asking = rig.cli(args);
    await until(`the write ${write}`, 30_000, () =>
      proxy.requests.some((seen) => isMeant(seen) && (when === "before" || seen.status !== 0)),
    );
    await rig.endNode("SIGKILL");
    await asking;
    proxy.release();
    await rig.startNode();
  }

  /** The same for a new version. */
  function killAt(write: string, when: "before" | "after"): Promise<void> {
    return killWhile(["up", "-f", scenario.file(compose(++version)), "-d"], write, when);
  }

  async function expectWhole(): Promise<void> {
    const { rig } = scenario;
    await until("the node manages it", 30_000, async () => {
      return (await rig.ask("scopes/point")).status === 200;
    });
    await scenario.settled("point");
    const [db, ...others] = await rig.engine.listInstances();
    assert.deepEqual(others, []);
    assert.ok(db !== undefined);
    assert.deepEqual([db.name, db.state], ["point-db-1", "running"]);
    assert.deepEqual(Object.keys(db.addresses).sort(), ["point_back", "point_front"]);
    assert.ok(!Object.values(db.addresses).includes(""));
    const { stdout } = await rig.engine.exec(db.id, ["cat", "/settings"], { decision: "test" });
    assert.equal(stdout, `${CONTENT} ${version}`);
    const volumes = (await rig.engine.listVolumes()).map(({ name }) => name);
    assert.equal(volumes.length, 2, `point_data and the one at /scratch: ${volumes.join(" ")}`);
  }

  async function expectNothing(): Promise<void> {
    const { engine } = scenario.rig;
    assert.deepEqual(await engine.listInstances(), []);
    assert.deepEqual(await engine.listVolumes(), []);
    const networks = (await engine.listNetworks()).map(({ name }) => name);
    assert.deepEqual(
      networks.filter((name) => name.startsWith("point")),
      [],
    );
  }

  it("the first time", { timeout: 300_000 }, async () => {
    const points = WRITES.map((write) => [write, "after"] as const);
    for (const [write, when] of [["/containers/create?", "before"] as const, ...points]) {
      await killAt(write, when);
      await expectWhole();
      assert.equal((await scenario.rig.cli(["down", "--scope", "point", "-v"])).code, 0);
      await expectNothing();
    }
  });

  it("when it is changed, and what it had in a volume without a name stays", async () => {
    await scenario.up(scenario.file(compose(++version)));
    const touch = ["touch", "/scratch/kept"];
    await scenario.rig.engine.exec("point-db-1", touch, { decision: "test" });
    for (const [write, when] of [
      ["/archive?", "before"],
      ["/rename?", "after"],
    ] as const) {
      await killAt(write, when);
      await expectWhole();
      const list = await scenario.rig.engine.exec("point-db-1", ["ls", "/scratch"], {
        decision: "test",
      });
      assert.equal(list.stdout, "kept\n");
    }
  });

  it("when it is removed, and nothing is left of a volume that it had taken over", async () => {
    const { rig } = scenario;
    await killWhile(["down", "--scope", "point", "-v", "-d"], "?force=true&v=", "after");
    await until("the scope is gone", 30_000, async () => {
      return (await rig.ask("scopes/point")).status === 404;
    });
    await expectNothing();
  });
});
