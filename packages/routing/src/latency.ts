// SPDX-License-Identifier: Apache-2.0
// Peak-EWMA as Finagle and Linkerd have it: a slower answer counts at once, faster ones win trust back little by little.
import type { Slot } from "./endpoint.ts";

/**
 * Time in which an old observation fades to 1/e. Finagle takes 10 s, for servers with thousands of calls a second; a caller
 * of a few would then keep away from an instance for half a minute because of one slow answer.
 */
const FADE_MS = 2_000;
/** What a call costs that is with an instance which has never answered: it gets one at a time. */
const UNKNOWN_MS = 10_000;
/** A failure costs its caller another call, however fast it came; several in a row multiply. */
const FAILURE_TIMES = 4;
const FAILURE_MS_MAX = 10_000;

/** What was observed, as it counts now: without calls it fades, so that a slow instance is tried again. */
export function latencyOf(slot: Slot, nowMs: number): number {
  const sinceMs = nowMs - slot.stampMs;
  return sinceMs <= 0 ? slot.latencyMs : slot.latencyMs * Math.exp(-sinceMs / FADE_MS);
}

/** Expected time of another call: latency, for each of those that are with it and this one. */
export function costOf(slot: Slot, nowMs: number): number {
  const pending = slot.inFlight / slot.weight;
  return slot.latencyMs === 0 ? pending * UNKNOWN_MS : latencyOf(slot, nowMs) * (pending + 1);
}

/** Takes an answer into account. */
export function observeLatency(slot: Slot, tookMs: number, failed: boolean, nowMs: number): void {
  const sinceMs = Math.max(0, nowMs - slot.stampMs);
  const keep = Math.exp(-sinceMs / FADE_MS);
  const fadedMs = slot.latencyMs * keep;
  const penaltyMs = Math.min(FAILURE_MS_MAX, FAILURE_TIMES * Math.max(fadedMs, tookMs));
  const seenMs = Math.max(failed ? penaltyMs : 0, tookMs, 0.001);
  slot.latencyMs = seenMs >= fadedMs ? seenMs : fadedMs + seenMs * (1 - keep);
  slot.stampMs = Math.max(nowMs, slot.stampMs);
}
