// SPDX-License-Identifier: Apache-2.0
// Peak-EWMA as Finagle and Linkerd have it: a slower answer counts at once, faster ones win trust back little by little.
import type { Slot } from "./endpoint.ts";

/** Time in which an old observation fades to 1/e. */
const FADE_MS = 10_000;
/** What a call costs that is with an instance which has never answered: it gets one at a time. */
const UNKNOWN_MS = 10_000;
/** A failure costs its caller another call, however fast it came. */
const FAILURE_MS = 1_000;

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
  const seenMs = Math.max(failed ? Math.max(FAILURE_MS, tookMs) : tookMs, 0.001);
  const sinceMs = Math.max(0, nowMs - slot.stampMs);
  const keep = Math.exp(-sinceMs / FADE_MS);
  const fadedMs = slot.latencyMs * keep;
  slot.latencyMs = seenMs >= fadedMs ? seenMs : fadedMs + seenMs * (1 - keep);
  slot.stampMs = Math.max(nowMs, slot.stampMs);
}
