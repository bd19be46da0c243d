// SPDX-License-Identifier: Apache-2.0
// R11: a service that never comes up costs next to nothing, and nobody else waits for it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { IMAGE, until } from "#lab/rig.ts";
import { openScenario, type Scenario } from "./scenario.ts";

const FILE = `
name: loop
services:
  bad:
    image: ${IMAGE}
    command: ["sh", "-c", "exit 1"]
    labels: { fairlead.heal: "restart max=1000/10m" }
  good:
    image: ${IMAGE}
    stop_grace_period: 0s
    deploy: { replicas: 2 }
`;
/** How long the node's share is measured; a minute for the row. */
const WATCHED_MS = Number(process.env["FAIRLEAD_WATCHED_S"] ?? 10) * 1_000;
/** Far above the row's 2 %: a machine that is busy counts differently, a loop without a pause would take all. */
const SHARE_MAX = 25;

let scenario: Scenario;
before(async () => {
  scenario = await openScenario();
  await scenario.up(scenario.file(FILE), ["-d"]);
});
after(() => scenario?.[Symbol.asyncDispose]());

/** Processor time of a process so far, in hundredths of a second. */
function readTicks(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

it("R11: a crash loop backs off further and further, while others are healed at once", async (t) => {
  const listActs = async () =>
    (await scenario.decisions("loop"))
      .filter(({ service, budget }) => service === "bad" && budget !== undefined)
      .sort((a, b) => a.startedAtMs - b.startedAtMs);
  await until(
    "it was restarted four times",
    60_000,
    async () => (await listActs()).length >= 4,
    50,
  );

  for (const instance of (await scenario.instances("loop")).filter((i) => i.service === "good")) {
    const killedMs = performance.now();
    await scenario.rig.engine.killInstance(instance.id, { decision: "test" });
    await until(
      `${instance.name} runs again`,
      20_000,
      async () => (await scenario.rig.engine.inspectInstance(instance.id))?.state === "running",
    );
    t.diagnostic(`another one ran again after ${Math.round(performance.now() - killedMs)} ms`);
  }

  const pid = scenario.rig.nodePid();
  const ticks = readTicks(pid);
  await sleep(WATCHED_MS);
  const share = ((readTicks(pid) - ticks) * 10 * 100) / WATCHED_MS;
  t.diagnostic(`the node used ${share.toFixed(2)} % of a core in ${WATCHED_MS / 1_000} s`);
  assert.ok(share < SHARE_MAX, `${share} % of a core`);

  const acts = await listActs();
  const pausesMs = acts
    .slice(1)
    .map(({ startedAtMs }, index) => startedAtMs - (acts[index]?.startedAtMs ?? 0));
  t.diagnostic(`pauses ${pausesMs.join(", ")} ms`);
  const [first = 0] = pausesMs;
  assert.ok((pausesMs.at(-1) ?? 0) > 2 * first, "the last pause is longer than the first by far");
  for (const { trigger } of acts) assert.match(trigger.detail, /ended with code 1/);
});
