// SPDX-License-Identifier: Apache-2.0
// `-w`: shows a list again when something happened; redraws on a terminal, appends when piped.
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { followEvents, isAway } from "./follow-events.ts";

const CALM_MS = 500;
/** Ages go on without events. */
const REDRAW_MS = 5_000;

/** Waits until something happens, at most REDRAW_MS. */
async function awaitEvent(
  events: AsyncIterator<unknown>,
  pending: { next?: Promise<unknown> },
  signal: AbortSignal,
): Promise<void> {
  if (pending.next === undefined) {
    pending.next = events.next();
    // It may fail while a list is being shown; the next wait gets the failure.
    pending.next.catch(() => undefined);
  }
  const late = new AbortController();
  const ending = AbortSignal.any([signal, late.signal]);
  const timer = sleep(REDRAW_MS, "late", { signal: ending }).catch(() => "late");
  const first = await Promise.race([pending.next, timer]);
  late.abort();
  if (first !== "late") delete pending.next;
}

/** A node that restarts is no reason to end: whoever follows its events says so. */
async function showUnlessAway(show: () => Promise<void>): Promise<void> {
  try {
    await show();
  } catch (thrown) {
    if (!isAway(thrown)) throw thrown;
  }
}

/** Calls `show` once, or with --watch until interrupted. */
export async function showOrWatch(
  context: Context,
  scope: string | undefined,
  show: () => Promise<void>,
): Promise<number> {
  const { parsed, out, signal } = context;
  if (!parsed.has("watch")) {
    await show();
    return EXIT.ok;
  }
  const clear = () => {
    if (out.terminal.live && out.forPeople) process.stdout.write("\u001b[H\u001b[2J");
  };
  clear();
  await show();
  const events = followEvents(context, scope);
  const pending: { next?: Promise<unknown> } = {};
  while (!signal.aborted) {
    await awaitEvent(events, pending, signal);
    await sleep(CALM_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    clear();
    await showUnlessAway(show);
  }
  return EXIT.ok;
}
