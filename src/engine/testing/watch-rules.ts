// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import type { EngineEvent, EngineSignal } from "#engine/engine.ts";
import {
  awaitEnd,
  collect,
  toRequest,
  withContainer,
  type EngineFixture,
  type Rule,
} from "./rule.ts";

/** The events of one container until the one named, which comes last. */
async function followUntil(
  signals: AsyncIterable<EngineSignal>,
  name: string,
  last: string,
): Promise<readonly EngineEvent[]> {
  const events: EngineEvent[] = [];
  for await (const signal of signals) {
    if (signal.kind !== "event" || signal.event.attributes["name"] !== name) continue;
    events.push(signal.event);
    if (signal.event.action === last) break;
  }
  return events;
}

async function liveOnce(fixture: EngineFixture, name: string): Promise<void> {
  const request = toRequest(fixture, name, { Cmd: ["true"] });
  await withContainer(fixture, request, (id) => awaitEnd(fixture.engine, id));
}

export const watchRules: Readonly<Record<string, Rule>> = {
  async "a watcher is told that it is connected, then each event once and in order"(fixture) {
    const { engine } = fixture;
    const ended = new AbortController();
    const signals = engine.watch({ signal: ended.signal })[Symbol.asyncIterator]();
    const first = await signals.next();
    assert.deepEqual(first.value, { kind: "connected", restarted: false });
    const rest = { [Symbol.asyncIterator]: () => signals };
    const following = followUntil(rest, "told", "destroy");
    await liveOnce(fixture, "told");
    const events = await following;
    ended.abort();
    const actions = events.map((event) => event.action);
    assert.deepEqual(actions, ["create", "start", "die", "destroy"]);
    assert.ok(events.every((event, i) => i === 0 || event.timeNs >= (events[i - 1]?.timeNs ?? 0n)));
  },
  async "a watcher that names the last event it saw is told what came after, to the nanosecond"(
    fixture,
  ) {
    const { engine } = fixture;
    const ended = new AbortController();
    const { signal } = ended;
    const following = followUntil(engine.watch({ signal, sinceNs: 1n }), "past", "destroy");
    await liveOnce(fixture, "past");
    const all = await following;
    const start = all.find((event) => event.action === "start");
    assert.ok(start !== undefined);
    const later = await followUntil(
      engine.watch({ signal, sinceNs: start.timeNs + 1n }),
      "past",
      "destroy",
    );
    assert.deepEqual(
      later.map((event) => event.action),
      ["die", "destroy"],
    );
    ended.abort();
  },
  async "a watch ends when its signal says so, at once and without an error"({ engine }) {
    const ended = new AbortController();
    const watching = collect(engine.watch({ signal: ended.signal }));
    ended.abort();
    await watching;
    assert.deepEqual(await collect(engine.watch({ signal: ended.signal })), []);
  },
  async "a call that is given up fails with the reason of who gave up"({ engine }) {
    const reason = new Error("no longer wanted");
    const signal = AbortSignal.abort(reason);
    const isReason = (error: unknown): boolean => error === reason;
    await assert.rejects(engine.listInstances({ signal }), isReason);
    await assert.rejects(engine.listImages({ signal }), isReason);
    await assert.rejects(engine.inspectInstance("x", { signal }), isReason);
    await engine.ping();
  },
};
