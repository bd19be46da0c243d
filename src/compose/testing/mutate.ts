// SPDX-License-Identifier: Apache-2.0
// Texts that somebody broke at random. The seed is fixed, so a run is the same everywhere: FAIRLEAD_FUZZ_SEED=7 takes
// another, FAIRLEAD_FUZZ_MS=60000 goes on for so long.
import assert from "node:assert/strict";
import type { TestContext } from "node:test";

/** More processor time than any text may take; wall time would blame us for a busy machine. */
const HANG_MS = 1_000;
const SEED = Number(process.env["FAIRLEAD_FUZZ_SEED"] ?? 20_261_123);
const DURATION_MS = Number(process.env["FAIRLEAD_FUZZ_MS"] ?? 0);

/** A whole number from 0 to below `max`. */
export type RandomBelow = (max: number) => number;

/** A small generator of our own, so that a seed gives the same run everywhere. */
function createRandom(seed: number): RandomBelow {
  let state = seed >>> 0;
  return (max) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * max);
  };
}

/** One of them; empty when there is none. */
export function pick(random: RandomBelow, texts: readonly string[]): string {
  return texts[random(texts.length)] ?? "";
}

/** `text` with one to four changes: cut, doubled, overwritten, with one of `pieces` or a part of `others` in it. */
export function mutate(
  text: string,
  random: RandomBelow,
  others: readonly string[],
  pieces: readonly string[],
): string {
  let out = text;
  for (let n = 1 + random(1 + random(4)); n > 0; n--) {
    const at = random(out.length + 1);
    const length = random(12);
    const other = pick(random, others);
    const from = random(other.length + 1);
    const choices = [
      () => out.slice(0, at) + out.slice(at + length),
      () => out.slice(0, at) + pick(random, pieces) + out.slice(at),
      () => out.slice(0, at) + String.fromCharCode(random(256)) + out.slice(at + 1),
      () => out.slice(0, at) + out.slice(at, at + length * 4).repeat(2) + out.slice(at + length),
      () => out.slice(0, at) + other.slice(from, from + 40) + out.slice(at),
      () => out.slice(0, at),
    ];
    out = choices[random(choices.length)]?.() ?? out;
  }
  return out;
}

/**
 * Calls `once` with broken texts: `runs` times, and until FAIRLEAD_FUZZ_MS is over. It returns whether the text was
 * taken, and throws for what should not be. Each may take a second of processor time.
 */
export async function fuzz(
  t: TestContext,
  runs: number,
  make: (random: RandomBelow) => string,
  once: (text: string) => Promise<boolean> | boolean,
): Promise<void> {
  const random = createRandom(SEED);
  const endMs = performance.now() + DURATION_MS;
  let [round, accepted, slowestMs] = [0, 0, 0];
  for (; round < runs || performance.now() < endMs; round++) {
    const text = make(random);
    const begin = process.cpuUsage();
    try {
      if (await once(text)) accepted++;
    } catch (thrown) {
      const why = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
      assert.fail(`seed ${SEED}, round ${round}: ${why}\nfor ${JSON.stringify(text)}`);
    }
    const used = process.cpuUsage(begin);
    slowestMs = Math.max(slowestMs, (used.user + used.system) / 1_000);
    // A promise that is already settled gives nobody else a turn.
    if (round % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  t.diagnostic(`${round} texts, ${accepted} taken, slowest ${slowestMs.toFixed(0)} ms`);
  assert.ok(slowestMs < HANG_MS, `one text took ${slowestMs.toFixed(0)} ms`);
}
