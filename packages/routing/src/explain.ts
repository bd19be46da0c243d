// SPDX-License-Identifier: Apache-2.0
// Why a call goes where it goes: who was compared by what, and who was left out for which reason.
import type { BreakerState, Slot, Strategy } from "./endpoint.ts";
import { latencyOf } from "./latency.ts";
import { writePolicy } from "./parse-policy.ts";
import type { Policy } from "./policy.ts";

/** One instance as a caller sees it. */
export interface Candidate {
  readonly id: string;
  /** What it is judged by, less is better: calls, turns or expected ms, see `unit` of the explanation. */
  readonly score: number;
  readonly weight: number;
  readonly inFlight: number;
  /** Peak-EWMA of its answers; 0 before the first. */
  readonly latencyMs: number;
  readonly breaker: BreakerState;
  /** Why it is not chosen from; absent when it is. */
  readonly excluded?: string | undefined;
}

/** A choice that was made. */
export interface Choice {
  readonly atMs: number;
  readonly id: string;
  readonly score: number;
  /** How many it was chosen from. */
  readonly among: number;
}

export interface Explanation {
  /** The policy, as it could be written. */
  readonly policy: string;
  /** How the strategy chooses, one sentence without its full stop. */
  readonly rule: string;
  readonly unit: "ms" | "calls" | "turns";
  /** Too few are well, so all are used. */
  readonly panic: boolean;
  readonly candidates: readonly Candidate[];
  /** The last ones, oldest first. */
  readonly choices: readonly Choice[];
}

const RULES: Readonly<Record<Policy["strategy"], string>> = {
  ewma: "of two drawn by weight, the one with less expected time: peak latency × calls in flight",
  "round-robin": "whose turn it is, by weight",
  "least-requests": "the one with the fewest calls in flight for its weight",
  "random-two": "of two drawn by weight, the one with fewer calls in flight",
  locality: "the nearest tier that is well enough, in it of two the one with less expected time",
  hash: "the one that the key is hashed to, unless it is much busier than the mean",
};

const UNITS: Readonly<Record<Policy["strategy"], Explanation["unit"]>> = {
  ewma: "ms",
  "round-robin": "turns",
  "least-requests": "calls",
  "random-two": "calls",
  locality: "ms",
  hash: "ms",
};

function describeExclusion(slot: Slot, policy: Policy, nowMs: number): string | undefined {
  const { endpoint, place, breaker, inFlight, limit } = slot;
  if (place >= 0 && inFlight < limit) return undefined;
  if (place >= 0)
    return `has ${inFlight} calls, its most${breaker === "closed" && limit < policy.inFlightMax ? " since it refused one" : ""}`;
  if (endpoint.draining) return "is leaving";
  if (endpoint.weight === 0) return "has weight 0";
  if (!endpoint.healthy) return "its health check fails";
  if (breaker !== "open") return "has just come";
  const leftMs = Math.max(0, Math.round(slot.openUntilMs - nowMs));
  return `its calls failed: left out for another ${leftMs} ms`;
}

/** What is known of each instance. */
export function explainPool(
  policy: Policy,
  strategy: Strategy,
  slots: readonly Slot[],
  nowMs: number,
): Omit<Explanation, "panic" | "choices"> {
  return {
    policy: writePolicy(policy),
    rule: RULES[policy.strategy],
    unit: UNITS[policy.strategy],
    candidates: slots.map((slot) => {
      const excluded = describeExclusion(slot, policy, nowMs);
      return {
        id: slot.endpoint.id,
        score: strategy.score(slot, nowMs),
        weight: slot.weight,
        inFlight: slot.inFlight,
        latencyMs: latencyOf(slot, nowMs),
        breaker: slot.breaker,
        ...(excluded === undefined ? {} : { excluded }),
      };
    }),
  };
}

const CHOICES_MAX = 32;

interface Note {
  atMs: number;
  id: string;
  score: number;
  among: number;
}

/** The last choices; noting one makes nothing once it is full. */
export class ChoiceLog {
  readonly #notes: Note[] = [];
  #next = 0;

  note(atMs: number, id: string, score: number, among: number): void {
    const note = this.#notes[this.#next % CHOICES_MAX];
    this.#next++;
    if (note === undefined) {
      this.#notes.push({ atMs, id, score, among });
      return;
    }
    note.atMs = atMs;
    note.id = id;
    note.score = score;
    note.among = among;
  }

  /** Oldest first. */
  list(): readonly Choice[] {
    const begin = this.#next % CHOICES_MAX;
    const full = this.#notes.length === CHOICES_MAX;
    const inOrder = full
      ? [...this.#notes.slice(begin), ...this.#notes.slice(0, begin)]
      : this.#notes;
    return inOrder.map((note) => ({ ...note }));
  }
}
