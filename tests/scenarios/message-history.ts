// SPDX-License-Identifier: Apache-2.0
// Judges what senders and receivers wrote down while others were killed. Pure: lines in, faults out.
// A sender writes `KEY NUMBER` once a message is confirmed; a receiver writes `KEY NUMBER ATTEMPT` before it acknowledges.

/** What is wrong, a few of each kind as text, and what is allowed, counted. */
export interface Verdict {
  readonly confirmed: number;
  /** Messages that were handled, each once. */
  readonly handled: number;
  /** Handled more than once. */
  readonly again: number;
  /** Confirmed and never handled. */
  readonly lost: readonly string[];
  /** Handled and never sent: beyond what the senders have written or will write. */
  readonly strange: readonly string[];
  /** Handled before one of its key that is older, or after a newer one. */
  readonly disordered: readonly string[];
  /** Handled again with a count that is not higher. */
  readonly uncounted: readonly string[];
}

const SHOWN_MAX = 20;

/** Collects faults without end: the first ones are enough to look at. */
class Faults {
  readonly list: string[] = [];

  add(text: string): void {
    if (this.list.length < SHOWN_MAX) this.list.push(text);
  }
}

interface Seen {
  /** All up to here were handled, in order. */
  last: number;
  attempt: number;
}

/** Judges a history. Numbers of a key count from 0 to `sentEach` - 1; deliveries are in the order of handling. */
export function judgeHistory(
  confirmations: Iterable<string>,
  deliveries: Iterable<string>,
  sentEach: number,
): Verdict {
  const [lost, strange, disordered, uncounted] = [
    new Faults(),
    new Faults(),
    new Faults(),
    new Faults(),
  ];
  const seen = new Map<string, Seen>();
  let handled = 0;
  let again = 0;
  for (const line of deliveries) {
    const [key = "", ...numbers] = line.split(" ");
    const [number = Number.NaN, attempt = Number.NaN] = numbers.map(Number);
    if (!(number >= 0 && number < sentEach && attempt >= 1)) {
      strange.add(line);
      continue;
    }
    const before = seen.get(key) ?? { last: -1, attempt: 0 };
    seen.set(key, before);
    if (number === before.last) {
      again++;
      if (attempt <= before.attempt) uncounted.add(`${line} after ${before.attempt}`);
    } else {
      if (number !== before.last + 1) disordered.add(`${line} after ${before.last}`);
      if (number > before.last) handled++;
    }
    before.last = Math.max(before.last, number);
    before.attempt = attempt;
  }
  let confirmed = 0;
  const words = new Set<string>();
  for (const line of confirmations) {
    const [key = "", text] = line.split(" ");
    if (words.has(line)) continue;
    words.add(line);
    confirmed++;
    if (Number(text) > (seen.get(key)?.last ?? -1)) lost.add(line);
  }
  return {
    confirmed,
    handled,
    again,
    lost: lost.list,
    strange: strange.list,
    disordered: disordered.list,
    uncounted: uncounted.list,
  };
}
