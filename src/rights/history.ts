// SPDX-License-Identifier: Apache-2.0
// How often who does what, and what is usual: in memory, since the node started.
import type { RightsContext } from "@fairlead/protocol/rights.ts";
import type { Ask } from "./rights.ts";

const MINUTE_MS = 60_000;
const PAIRS_MAX = 50_000;
/** How much of the usual is the newest minute. */
const WEIGHT = 0.1;

/** How often somebody does something. */
interface Pace {
  minute: number;
  now: number;
  before: number;
  usual: number;
}

export interface RightsHistory {
  /** Counts one more, and says how the moment looks with it. */
  count(ask: Ask, nowMs: number): RightsContext;
  /** How it would look with one more. */
  look(ask: Ask, nowMs: number): RightsContext;
  /** The caller was let through: from now on the target is no new peer of its. */
  admit(ask: Ask): void;
}

/**
 * Calls are counted for each target. Messages are counted together, whatever their subjects: else a rate would be a matter of
 * naming.
 */
function keyOfPace({ scope, caller, action, target }: Ask): string {
  return action === "call"
    ? `${scope}/${caller} ${action} ${target}`
    : `${scope}/${caller} ${action}`;
}

/** Whom or what a caller is acquainted with: an agent, or the first word of subjects. */
function keyOfPeer({ scope, caller, action, target }: Ask): string {
  const peer = action === "call" ? target : target.split(".", 1)[0];
  return `${scope}/${caller} ${action} ${peer}`;
}

/** Brings a pace to the present minute: each that is over counts for what is usual. */
function advance(pace: Pace, minute: number): void {
  // After an hour of silence nothing of what was usual is left.
  for (let over = Math.min(minute - pace.minute, 60); over > 0; over--) {
    pace.usual += WEIGHT * (pace.now - pace.usual);
    pace.before = over === 1 ? pace.now : 0;
    pace.now = 0;
  }
  if (minute - pace.minute > 1) pace.before = 0;
  pace.minute = minute;
}

/** Those that were used last are the last in the map; the oldest goes when it is full. */
function keepLast<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= PAIRS_MAX) return;
  for (const oldest of map.keys()) return void map.delete(oldest);
}

/** An empty one. */
export function createRightsHistory(startedAtMs: number): RightsHistory {
  const paces = new Map<string, Pace>();
  const known = new Map<string, true>();
  const start = (minute: number): Pace => ({ minute, now: 0, before: 0, usual: 0 });

  function view(ask: Ask, pace: Pace, nowMs: number, now: number): RightsContext {
    const part = 1 - (nowMs % MINUTE_MS) / MINUTE_MS;
    const perMinute = now + Math.floor(pace.before * part);
    const usualPerMinute = Math.round(pace.usual);
    const at = new Date(nowMs);
    return {
      method: ask.action === "call" ? ask.method : "",
      subject: ask.action === "call" ? "" : ask.target,
      perMinute,
      usualPerMinute,
      timesUsual: Math.floor(perMinute / Math.max(1, usualPerMinute)),
      newPeer: !known.has(keyOfPeer(ask)),
      watchedMinutes: Math.floor((nowMs - startedAtMs) / MINUTE_MS),
      hourUtc: at.getUTCHours(),
      weekdayUtc: at.getUTCDay(),
    };
  }

  return {
    count(ask, nowMs) {
      const minute = Math.floor(nowMs / MINUTE_MS);
      const key = keyOfPace(ask);
      const pace = paces.get(key) ?? start(minute);
      keepLast(paces, key, pace);
      advance(pace, minute);
      pace.now++;
      return view(ask, pace, nowMs, pace.now);
    },
    look(ask, nowMs) {
      const minute = Math.floor(nowMs / MINUTE_MS);
      const pace = { ...(paces.get(keyOfPace(ask)) ?? start(minute)) };
      advance(pace, minute);
      return view(ask, pace, nowMs, pace.now + 1);
    },
    admit: (ask) => keepLast(known, keyOfPeer(ask), true),
  };
}
