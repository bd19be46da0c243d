// SPDX-License-Identifier: Apache-2.0
// How often who does what, and what is usual: in memory, since the node started.
import type { RightsContext } from "@fairlead/protocol/rights.ts";
import type { Ask } from "./rights.ts";

const MINUTE_MS = 60_000;
const PAIRS_MAX = 50_000;
/** How much of the usual is the newest minute. */
const WEIGHT = 0.1;

interface Pair {
  minute: number;
  now: number;
  before: number;
  usual: number;
  known: boolean;
}

export interface RightsHistory {
  /** Counts one more, and says how the moment looks with it. */
  count(ask: Ask, nowMs: number): RightsContext;
  /** How it would look with one more. */
  look(ask: Ask, nowMs: number): RightsContext;
  /** The caller was let through: from now on the target is no new peer of its. */
  admit(ask: Ask): void;
}

function keyOf({ scope, caller, action, target }: Ask): string {
  return `${scope}/${caller} ${action} ${target}`;
}

/** Brings a pair to the present minute: each that is over counts for what is usual. */
function advance(pair: Pair, minute: number): void {
  // After an hour of silence nothing of what was usual is left.
  for (let over = Math.min(minute - pair.minute, 60); over > 0; over--) {
    pair.usual += WEIGHT * (pair.now - pair.usual);
    pair.before = over === 1 ? pair.now : 0;
    pair.now = 0;
  }
  if (minute - pair.minute > 1) pair.before = 0;
  pair.minute = minute;
}

/** An empty one. */
export function createRightsHistory(startedAtMs: number): RightsHistory {
  const pairs = new Map<string, Pair>();

  function find(ask: Ask, minute: number): Pair {
    const key = keyOf(ask);
    const pair = pairs.get(key) ?? { minute, now: 0, before: 0, usual: 0, known: false };
    // The pairs that were used last are the last in the map.
    pairs.delete(key);
    pairs.set(key, pair);
    if (pairs.size > PAIRS_MAX)
      for (const oldest of pairs.keys()) return (pairs.delete(oldest), pair);
    return pair;
  }

  function view(ask: Ask, pair: Pair, nowMs: number, now: number): RightsContext {
    const part = 1 - (nowMs % MINUTE_MS) / MINUTE_MS;
    const perMinute = now + Math.floor(pair.before * part);
    const usualPerMinute = Math.round(pair.usual);
    const at = new Date(nowMs);
    return {
      method: ask.action === "call" ? ask.method : "",
      subject: ask.action === "call" ? "" : ask.target,
      perMinute,
      usualPerMinute,
      timesUsual: Math.floor(perMinute / Math.max(1, usualPerMinute)),
      newPeer: !pair.known,
      watchedMinutes: Math.floor((nowMs - startedAtMs) / MINUTE_MS),
      hourUtc: at.getUTCHours(),
      weekdayUtc: at.getUTCDay(),
    };
  }

  return {
    count(ask, nowMs) {
      const minute = Math.floor(nowMs / MINUTE_MS);
      const pair = find(ask, minute);
      advance(pair, minute);
      pair.now++;
      return view(ask, pair, nowMs, pair.now);
    },
    look(ask, nowMs) {
      const minute = Math.floor(nowMs / MINUTE_MS);
      const found = pairs.get(keyOf(ask));
      const pair = { ...(found ?? { minute, now: 0, before: 0, usual: 0, known: false }) };
      advance(pair, minute);
      return view(ask, pair, nowMs, pair.now + 1);
    },
    admit(ask) {
      const pair = pairs.get(keyOf(ask));
      if (pair !== undefined) pair.known = true;
    },
  };
}
