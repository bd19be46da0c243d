// SPDX-License-Identifier: Apache-2.0
// What every way of discovery promises, as tests. Each way's test file calls discoveryConformance.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { AgentChange, AgentRecord } from "@fairlead/protocol/agent.ts";
import type { Discovery } from "./discovery.ts";
import { buildRecord } from "./testing/build-record.ts";

/** Two members of one network, fresh for each rule. */
export interface DiscoveryPair extends AsyncDisposable {
  readonly first: Discovery;
  readonly second: Discovery;
}

type Rule = (pair: DiscoveryPair) => Promise<void>;

const PATIENCE_MS = 10_000;

/** Reads changes until one fits; the others are forgotten. Throws when none comes. */
export async function waitFor(
  discovery: Discovery,
  isIt: (change: AgentChange) => boolean,
): Promise<AgentChange> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  for await (const change of discovery.watch(signal)) if (isIt(change)) return change;
  throw new Error("no such change came");
}

const isUp =
  (id: string) =>
  (change: AgentChange): boolean =>
    change.type !== "gone" && change.agent.id === id;

const isGone =
  (id: string) =>
  (change: AgentChange): boolean =>
    change.type === "gone" && change.agent.id === id;

const idsOf = (records: readonly AgentRecord[]): string[] => records.map(({ id }) => id).sort();

const RULES: Readonly<Record<string, Rule>> = {
  "what is announced is listed here at once and seen elsewhere, the same to the letter": async ({
    first,
    second,
  }) => {
    const record = buildRecord("a");
    await first.announce(record);
    assert.deepEqual(first.list(), [record]);
    const change = await waitFor(second, isUp("a"));
    assert.deepEqual(change.agent, record);
    assert.deepEqual(second.list(), [record]);
  },
  "a watch begins with those who are there": async ({ first, second }) => {
    await first.announce(buildRecord("a"));
    await first.announce(buildRecord("b"));
    await waitFor(second, isUp("a"));
    await waitFor(second, isUp("b"));
    assert.deepEqual(idsOf(second.list()), ["a", "b"]);
  },
  "announcing again replaces, and tells nothing when nothing changed": async ({
    first,
    second,
  }) => {
    const ending = new AbortController();
    const seen: AgentChange[] = [];
    const watching = (async () => {
      for await (const change of second.watch(ending.signal)) {
        seen.push(change);
        if (change.agent.load === 2) ending.abort();
      }
    })();
    await first.announce(buildRecord("a", { load: 1 }));
    await waitFor(second, isUp("a"));
    await first.announce(buildRecord("a", { load: 1 }));
    await first.announce(buildRecord("a", { load: 2 }));
    await waitFor(second, (change) => change.agent.load === 2);
    ending.abort();
    await watching;
    assert.deepEqual(
      seen.map((change) => [change.type, change.agent.load]),
      [
        ["up", 1],
        ["changed", 2],
      ],
    );
  },
  "disposing of an announcement says that it left": async ({ first, second }) => {
    const announcement = await first.announce(buildRecord("a"));
    await waitFor(second, isUp("a"));
    const gone = waitFor(second, isGone("a"));
    await announcement[Symbol.asyncDispose]();
    const change = await gone;
    assert.equal(change.type === "gone" && change.reason, "left");
    assert.deepEqual(second.list(), []);
    assert.deepEqual(first.list(), []);
  },
  "disposing of a former announcement does not take back the one after it": async ({ first }) => {
    const former = await first.announce(buildRecord("a", { load: 1 }));
    await first.announce(buildRecord("a", { load: 2 }));
    await former[Symbol.asyncDispose]();
    assert.deepEqual(idsOf(first.list()), ["a"]);
  },
  "closing takes back what was announced, and nothing else": async ({ first, second }) => {
    await first.announce(buildRecord("a"));
    await second.announce(buildRecord("b"));
    await waitFor(second, isUp("a"));
    const gone = waitFor(second, isGone("a"));
    await first[Symbol.asyncDispose]();
    const change = await gone;
    assert.equal(change.type === "gone" && change.reason, "left");
    assert.deepEqual(idsOf(second.list()), ["b"]);
  },
  "closing ends watches, and nothing can be announced after it": async ({ first }) => {
    const watching = (async () => {
      for await (const _ of first.watch(new AbortController().signal));
    })();
    await first[Symbol.asyncDispose]();
    await watching;
    await assert.rejects(first.announce(buildRecord("a")), { name: "FairleadError" });
  },
  "an abort ends a watch": async ({ first }) => {
    const ending = new AbortController();
    const watching = (async () => {
      for await (const _ of first.watch(ending.signal));
    })();
    ending.abort();
    await watching;
  },
  "a watcher that does not read is told that it fell behind": async ({ first }) => {
    const ending = new AbortController();
    const changes = first.watch(ending.signal);
    for (let load = 0; load <= 999; load++) await first.announce(buildRecord("a", { load }));
    for (let round = 0; round < 10; round++) {
      for (let load = 0; load <= 999; load++)
        await first.announce(buildRecord("a", { load: load + 1 / (round + 2) }));
    }
    await assert.rejects(
      async () => {
        for await (const _ of changes);
      },
      { name: "FairleadError" },
    );
  },
  "a hundred agents on either side are known on both": async ({ first, second }) => {
    for (let i = 0; i < 100; i++) {
      await first.announce(buildRecord(`f${i}`));
      await second.announce(buildRecord(`s${i}`));
    }
    const signal = AbortSignal.timeout(PATIENCE_MS);
    for (const discovery of [first, second]) {
      const seen = new Set<string>();
      for await (const change of discovery.watch(signal)) {
        seen.add(change.agent.id);
        if (seen.size === 200) break;
      }
      assert.equal(seen.size, 200);
    }
  },
};

/** Declares the tests. Fails when `skip` names a rule that does not exist. */
export function discoveryConformance(
  name: string,
  create: () => Promise<DiscoveryPair>,
  skip: Readonly<Record<string, string>> = {},
): void {
  describe(`discovery conformance: ${name}`, () => {
    test("skip names only rules that exist", () => {
      const unknown = Object.keys(skip).filter((title) => !(title in RULES));
      assert.deepEqual(unknown, []);
    });
    for (const [title, rule] of Object.entries(RULES)) {
      const reason = skip[title];
      test(title, reason === undefined ? {} : { skip: reason }, async () => {
        await using pair = await create();
        await rule(pair);
      });
    }
  });
}
