// SPDX-License-Identifier: Apache-2.0
// As many starts hang as may be under way at once: what falls down meanwhile is healed all the same.
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { IMAGE, until } from "#lab/rig.ts";
import { openScenario, type Scenario } from "./scenario.ts";

/** As many as the node starts at once for healing. */
const HUNG = 16;
const FILE = `
name: hung
services:
  stuck:
    image: ${IMAGE}
    stop_grace_period: 0s
    network_mode: none
    deploy: { replicas: ${HUNG} }
  fine:
    image: ${IMAGE}
    stop_grace_period: 0s
    network_mode: none
`;

let scenario: Scenario;
before(async () => {
  scenario = await openScenario();
});
after(() => scenario?.[Symbol.asyncDispose]());

it("starts that hang do not hold up the healing of others", { timeout: 300_000 }, async () => {
  const { proxy, rig } = scenario;
  await scenario.up(scenario.file(FILE));
  const stuck = (await scenario.instances("hung")).filter(({ service }) => service === "stuck");
  const isHung = ({ path }: { path: string }): boolean =>
    path.endsWith("/start") && stuck.some(({ id }) => path.includes(id));
  proxy.forget();
  proxy.hang(isHung);
  for (const { id } of stuck) await rig.engine.killInstance(id, { decision: "test" });
  await until("all of them hang", 30_000, () => proxy.requests.filter(isHung).length === HUNG);
  const before = await rig.engine.inspectInstance("hung-fine-1");
  await rig.engine.killInstance("hung-fine-1", { decision: "test" });
  await until("the other one runs again", 50_000, async () => {
    const now = await rig.engine.inspectInstance("hung-fine-1");
    return now?.state === "running" && now.startedAtMs > (before?.startedAtMs ?? 0);
  });
  const hung = proxy.requests.filter(isHung);
  assert.deepEqual([hung.length, hung.every(({ status }) => status === 0)], [HUNG, true]);
  proxy.release();
  await scenario.settled("hung");
});
