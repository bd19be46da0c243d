// SPDX-License-Identifier: Apache-2.0
// What instances of all nodes use. This node's readings set the pace; those of others are the newest there are.
import type { NodeView } from "@fairlead/protocol/node.ts";
import { UsageReading } from "@fairlead/protocol/routes.ts";
import type { Caller, UsageAnswer, UsageEntry } from "#control/operations.ts";
import { describeMissing, isUnknownThere, tellWhy } from "./ask-nodes.ts";
import { attendAll, RETRY_MS } from "./attend-all.ts";
import { stamp, type SpreadOptions } from "./spread-options.ts";

/** The first reading waits so long for that of other nodes. */
const FIRST_READING_MS = 2_500;

interface Readings {
  readonly latest: Map<string, readonly UsageEntry[]>;
  readonly silent: Map<string, string>;
  /** Called when a node has answered or not. */
  note(): void;
}

/** Keeps the newest reading of one node, until the caller's signal aborts. */
async function keepReading(
  { others, clock }: SpreadOptions,
  node: NodeView,
  filter: { scope?: string },
  caller: Caller,
  { latest, silent, note }: Readings,
): Promise<void> {
  const { name } = node;
  while (!caller.signal.aborted) {
    try {
      const now = others.list().find(({ id }) => id === node.id) ?? node;
      const question = { ask: "usage", ...filter } as const;
      for await (const { items } of others.stream(now, question, caller, UsageReading)) {
        silent.delete(name);
        latest.set(name, stamp(items, name));
        note();
      }
    } catch (thrown) {
      latest.delete(name);
      if (isUnknownThere(thrown)) latest.set(name, []);
      else silent.set(name, describeMissing(node, tellWhy(node, thrown)));
      note();
    }
    await clock.sleep(RETRY_MS, caller.signal).catch(() => undefined);
  }
}

/** Readings of all nodes, the busiest instance first, until the caller's signal aborts. */
export async function* spreadUsage(
  options: SpreadOptions,
  filter: { scope?: string },
  { actor, signal: asked }: Caller,
): AsyncGenerator<UsageAnswer> {
  const { local, others, self, clock } = options;
  const ended = new AbortController();
  const signal = AbortSignal.any([asked, ended.signal]);
  const caller = { actor, signal };
  let known = Promise.withResolvers<void>();
  const latest = new Map<string, readonly UsageEntry[]>();
  const silent = new Map<string, string>();
  function note(): void {
    known.resolve();
    known = Promise.withResolvers();
  }
  const listLate = (): readonly NodeView[] =>
    others.list().filter(({ name }) => !latest.has(name) && !silent.has(name));

  async function awaitFirst(): Promise<void> {
    const isLate = clock.sleep(FIRST_READING_MS, signal).then(
      () => true,
      () => true,
    );
    while (listLate().length > 0)
      if ((await Promise.race([known.promise, isLate])) === true) return;
  }

  try {
    const readings = { latest, silent, note };
    void attendAll(others, clock, signal, (node) =>
      keepReading(options, node, filter, caller, readings),
    );
    let isFirst = true;
    for await (const { items } of local.usage(filter, caller)) {
      if (isFirst) await awaitFirst();
      isFirst = false;
      const all = [...stamp(items, self), ...[...latest.values()].flat()];
      const late = listLate().map((node) => describeMissing(node, "it has not measured yet"));
      const missing = [...silent.values(), ...late].sort();
      all.sort((a, b) => b.cpuPercent - a.cpuPercent);
      yield { items: all, ...(missing.length === 0 ? {} : { missing }) };
    }
  } finally {
    ended.abort();
  }
}
