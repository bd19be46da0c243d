// SPDX-License-Identifier: Apache-2.0
// Many logs at once: in order, without gathering them, and one that cannot be read beside others. Restarts of real
// containers are in tests/scenarios/logs.real.test.ts.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FairleadError } from "#base/errors.ts";
import { buildInstance } from "#brain/testing/builders.ts";
import type { LogLine, LogOptions } from "#engine/engine.ts";
import { engineErrors } from "#engine/errors.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { createLogStreams } from "./log-streams.ts";

const INSTANCES = 120;
const LINES = 100;
/** Its line "7" is a secret. */
const SECRETIVE = "shop-web-3";
const REQUEST = { scope: "shop", names: [], follow: false, tail: LINES };

/** Logs whose lines are made when they are asked for. `drawn` counts them, `open` those that are read now. */
function createLogs(broken?: string) {
  const counts = { drawn: 0, open: 0 };
  const instances = Array.from({ length: INSTANCES }, (_, at) =>
    buildInstance({ id: `id${at}`, name: `shop-web-${at}` }),
  );
  const byId = new Map(instances.map((instance) => [instance.id, instance]));
  async function* logs(id: string, _options?: LogOptions): AsyncGenerator<LogLine> {
    const at = Number(id.slice(2));
    if (id === broken)
      throw new FairleadError(
        engineErrors["engine-refused"],
        "the driver does not support reading",
      );
    counts.open++;
    try {
      for (let line = 0; line < LINES; line++) {
        counts.drawn++;
        const atMs = line * INSTANCES + at;
        yield { stream: "stdout", atMs, atNs: BigInt(atMs) * 1_000_000n, text: `${line}` };
      }
    } finally {
      counts.open--;
    }
  }
  const streams = createLogStreams({
    engine: { logs },
    board: {
      find: (id) => byId.get(id),
      onChange: () => () => undefined,
    },
    clock: createManualClock(),
    choose: ({ names }) =>
      names.length === 0 ? instances : instances.filter(({ name }) => names.includes(name)),
    hide: ({ name }, text) => (name === SECRETIVE && text === "7" ? "[hidden]" : text),
  });
  return { streams, counts };
}

describe("logs of 120 instances with 100 lines each", () => {
  test("come in order of time, all of them, and only what is read is asked for", async () => {
    const { streams, counts } = createLogs();
    const { signal } = new AbortController();
    let read = 0;
    let lastMs = -1;
    let aheadMax = 0;
    for await (const { atMs } of streams.read(REQUEST, signal)) {
      assert.ok(atMs > lastMs);
      lastMs = atMs;
      read++;
      aheadMax = Math.max(aheadMax, counts.drawn - read);
    }
    assert.equal(read, INSTANCES * LINES);
    assert.ok(aheadMax <= INSTANCES, `${aheadMax} lines were gathered`);
  });

  test("are all let go when the reader leaves", async () => {
    const { streams, counts } = createLogs();
    const { signal } = new AbortController();
    for await (const { text } of streams.read(REQUEST, signal)) if (text === "1") break;
    assert.equal(counts.open, 0);
    assert.ok(counts.drawn <= 3 * INSTANCES, `${counts.drawn} lines were drawn`);
  });

  test("show a secret in none of the lines of the one that has it", async () => {
    const { streams } = createLogs();
    const lines: string[] = [];
    const names = [SECRETIVE, "shop-web-4"];
    for await (const { text } of streams.read({ ...REQUEST, names }, new AbortController().signal))
      lines.push(text);
    assert.equal(lines.filter((text) => text === "[hidden]").length, 1);
    assert.equal(lines.filter((text) => text === "7").length, 1);
  });

  test("one that cannot be read says so and hides no other; alone it is an error", async () => {
    const { streams } = createLogs("id7");
    const { signal } = new AbortController();
    const told: string[] = [];
    const seen = new Set<string>();
    for await (const { instance, text } of streams.read(REQUEST, signal)) {
      seen.add(instance);
      if (instance === "shop-web-7") told.push(text);
    }
    assert.equal(seen.size, INSTANCES);
    assert.deepEqual(told, [
      "(fairlead cannot read this log: the driver does not support reading)",
    ]);
    const alone = streams.read({ ...REQUEST, names: ["shop-web-7"] }, signal);
    await assert.rejects(async () => {
      for await (const _ of alone);
    }, /does not support reading/);
  });
});
