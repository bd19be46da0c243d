// SPDX-License-Identifier: Apache-2.0
// One history: a seed, faults step by step, then peace. The same seed gives the same history to the last event.
import { createHash } from "node:crypto";
import { doFault } from "./faults.ts";
import { listFaults, listUnsettled } from "./invariants.ts";
import { PATIENCE_MS } from "./sim-store.ts";
import { createWorld, type World } from "./world.ts";

export interface HistoryOptions {
  readonly seed: number;
  readonly steps: number;
  readonly nodes: number;
}

export interface History {
  /** Of everything that was seen; equal for equal options. */
  readonly hash: string;
  /** A line a step: when, what befell, and how each node sees the others. */
  readonly trace: readonly string[];
  /** What did not hold; the history ends with the first step that shows one. */
  readonly faults: readonly string[];
  readonly events: number;
  readonly virtualMs: number;
}

/** How long peace has to last until all is as it should be: the store's patience, a lease, a silence, and a breath. */
const PEACE_MS = 90_000;
const LOOK_MS = 1_000;
/** So many looks in a row have to find it so. */
const SETTLED_LOOKS = 3;
const START_MS = 2_500;
const SIGNS = { alive: "+", suspect: "?", gone: "-", left: "." } as const;

/** What each node sees, a sign for each other: `n0 +++?-`; nothing for one that is down. */
function describeViews({ hosts }: World): string {
  return hosts
    .map(({ id, node, engine }) => {
      const views = node?.roll.list().toSorted((a, b) => (a.id < b.id ? -1 : 1)) ?? [];
      const running = engine.listRunning().toSorted().join(" ");
      return `${id} ${views.map(({ state }) => SIGNS[state]).join("")} [${running}]`;
    })
    .join("  ");
}

/** Runs a history to its end, or to the first step after which something does not hold. */
export async function runHistory({ seed, steps, nodes }: HistoryOptions): Promise<History> {
  const world = createWorld(seed, nodes);
  const { timeline } = world;
  const hash = createHash("sha256");
  const trace: string[] = [];
  const note = (what: string): void => {
    const line = `${(timeline.nowMs / 1_000).toFixed(3)} s  ${what}  ${describeViews(world)}`;
    trace.push(line);
    hash.update(`${line} ${timeline.events}\n`);
  };
  const end = (faults: readonly string[]): History => {
    world.end();
    return {
      hash: hash.digest("hex"),
      trace,
      faults,
      events: timeline.events,
      virtualMs: timeline.nowMs,
    };
  };
  await world.pass(START_MS);
  await world.want(3);
  await world.pass(START_MS);
  note("the fleet has started");
  for (let step = 0; step < steps; step++) {
    const faults = listFaults(world);
    if (faults.length > 0) return end(faults);
    const what = doFault(world);
    await world.pass(200 + world.random() ** 2 * 6_000);
    note(what);
  }
  const faults = listFaults(world);
  if (faults.length > 0) return end(faults);
  world.mend();
  const untilMs = timeline.nowMs + PEACE_MS;
  // What was asked before may still fail.
  await world.pass(PATIENCE_MS + LOOK_MS);
  // As it is, it stays: what holds by chance at one moment does not.
  let settled = 0;
  let unsettled: readonly string[] = [];
  while (settled < SETTLED_LOOKS && timeline.nowMs < untilMs) {
    await world.openUp();
    await world.pass(LOOK_MS);
    unsettled = await listUnsettled(world);
    settled = unsettled.length === 0 ? settled + 1 : 0;
  }
  note(`peace for ${((timeline.nowMs - untilMs + PEACE_MS) / 1_000).toFixed(0)} s`);
  const restless = settled < SETTLED_LOOKS && unsettled.length === 0 ? ["it does not rest"] : [];
  return end([...listFaults(world), ...unsettled, ...restless]);
}
