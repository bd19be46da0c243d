// SPDX-License-Identifier: Apache-2.0
// Following the logs of real containers: over crashes, restarts and replacements each line is shown, and shown once.
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, it } from "node:test";
import type { LogLine } from "@fairlead/protocol/routes.ts";
import { IMAGE, until } from "#lab/rig.ts";
import { openScenario, type Scenario } from "./scenario.ts";

/** Each run has the next number, which outlives the container, says five things and fails. */
const CRASHING =
  "n=$$(($$(cat /data/n 2>/dev/null || echo 0) + 1)); echo $$n >/data/n; " +
  "for i in 1 2 3 4; do echo run $$n line $$i; done; echo run $$n line 5 >&2; exit 1";
/** Counts in each run, and says goodbye. */
const TICKING =
  "trap 'echo bye $$n; exit 0' TERM; n=$$(($$(cat /data/n 2>/dev/null || echo 0) + 1)); echo $$n >/data/n; " +
  "i=0; while :; do i=$$((i + 1)); echo run $$n line $$i; sleep 0.05; done";

function write(name: string, script: string, more = ""): string {
  return `name: ${name}
services:
  app:
    image: ${IMAGE}
    command: ["sh", "-c", ${JSON.stringify(script)}]
    volumes: ["data:/data"]
    stop_grace_period: 5s
${more}
volumes: { data: {} }
`;
}

interface Following extends AsyncDisposable {
  readonly lines: readonly string[];
}

describe("logs that are followed", () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await openScenario();
  });
  after(() => scenario[Symbol.asyncDispose]());

  function follow(query: string): Following {
    const lines: string[] = [];
    const path = `/v1/logs?follow=1&${query}`;
    let rest = "";
    const sent = request({ socketPath: scenario.rig.socket, path }, (response) => {
      response.setEncoding("utf8").on("data", (chunk: string) => {
        const parts = (rest + chunk).split("\n");
        rest = parts.pop() ?? "";
        for (const part of parts) {
          if (part !== "") lines.push((JSON.parse(part) as LogLine).text);
        }
      });
      response.on("error", () => undefined);
    });
    sent.on("error", () => undefined).end();
    return {
      lines,
      async [Symbol.asyncDispose]() {
        sent.destroy();
      },
    };
  }

  /** The numbers of lines by run, in the order in which they came. */
  function byRun(lines: readonly string[]): Map<number, number[]> {
    const runs = new Map<number, number[]>();
    for (const line of lines) {
      const [, run, number] = /^run (\d+) line (\d+)$/.exec(line) ?? [];
      if (run === undefined || number === undefined) continue;
      runs.set(Number(run), [...(runs.get(Number(run)) ?? []), Number(number)]);
    }
    return runs;
  }

  it("show every line of a service that crashes again and again, once", async () => {
    const label = '    labels: { fairlead.heal: "restart max=3/10m" }';
    const file = scenario.file(write("crashing", CRASHING, label));
    const up = await scenario.rig.cli(["up", "-f", file, "-d"]);
    assert.equal(up.code, 0, up.stderr);
    await using followed = follow("scope=crashing&tail=1000");
    await until(
      "it is quarantined",
      60_000,
      async () => (await scenario.service("crashing", "app")).state === "quarantined",
      50,
    );
    const started = (await scenario.decisions("crashing")).filter(
      ({ act, outcome }) =>
        /^instance\.(create|start|restart|replace)$/.test(act) && outcome === "done",
    ).length;
    assert.ok(started >= 3, "it was tried again");
    await until(
      "the last run is shown",
      10_000,
      () => byRun(followed.lines).get(started)?.length === 5,
    );
    const runs = byRun(followed.lines);
    assert.deepEqual(
      [...runs.keys()].sort((a, b) => a - b),
      Array.from({ length: started }, (_, at) => at + 1),
    );
    for (const [run, numbers] of runs)
      assert.deepEqual(
        numbers.toSorted((a, b) => a - b),
        [1, 2, 3, 4, 5],
        `run ${run}`,
      );

    await using later = follow("scope=crashing&tail=2");
    await until(
      "the end of a log whose container has ended",
      10_000,
      () => later.lines.length >= 2,
    );
    const again = await scenario.rig.cli(["restart", "app", "--scope", "crashing"]);
    await until(
      `its next run is shown (${again.stderr})`,
      20_000,
      () => byRun(later.lines).get(started + 1)?.length === 5,
    );
    assert.equal(byRun(later.lines).get(started)?.length, 2, "the last two lines, and no older");
  });

  it("go on over restarts and replacements with the first line and the last", async () => {
    const quick = "    deploy: { update_config: { monitor: 100ms } }";
    const file = scenario.file(write("ticking", TICKING, quick), "ticking.yaml");
    await scenario.up(file);
    await using followed = follow("scope=ticking&tail=10000");
    await using fresh = follow("scope=ticking&tail=0");
    const shows = (run: number): Promise<void> =>
      until(
        `run ${run} is shown`,
        20_000,
        () => (byRun(followed.lines).get(run)?.length ?? 0) >= 5,
      );
    await shows(1);
    const { code, stderr } = await scenario.rig.cli(["restart", "app", "--scope", "ticking"]);
    assert.equal(code, 0, stderr);
    await shows(2);
    const [instance] = await scenario.instances("ticking");
    assert.ok(instance !== undefined);
    await scenario.rig.engine.killInstance(instance.id, { decision: "test" });
    await shows(3);
    await scenario.up(
      scenario.file(write("ticking", TICKING, `${quick}\n    hostname: other`), "ticking.yaml"),
    );
    await shows(4);
    const runs = byRun(followed.lines);
    for (const [run, numbers] of runs)
      assert.deepEqual(
        numbers,
        Array.from({ length: numbers.length }, (_, at) => at + 1),
        `run ${run} without a gap, without a double, in order`,
      );
    assert.equal(followed.lines.filter((line) => line === "bye 1").length, 1);
    assert.ok((byRun(fresh.lines).get(1)?.[0] ?? 0) > 1, "tail 0 shows nothing of the past");
    for (const run of [2, 3, 4]) assert.equal(byRun(fresh.lines).get(run)?.[0], 1, `run ${run}`);
  });
});
