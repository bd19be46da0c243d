// SPDX-License-Identifier: Apache-2.0
// `-w`: shows a list again when something happened. On a terminal it is redrawn, also because ages go on; a pipe gets
// another one below the last, after an empty line.
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { followEvents, isAway } from "./follow-events.ts";

const CALM_MS = 500;
/** Ages go on without events. */
const REDRAW_MS = 5_000;
/** In a pipe only what changed is worth another list; but not all that changes has an event. */
const REPEAT_MS = 60_000;

/** Tells, each time it is asked, when something has happened since the last time. */
function hearEvents(events: AsyncIterator<unknown>) {
  let next: Promise<unknown> | undefined;
  function listen(): Promise<unknown> {
    next ??= events.next();
    // It may fail while a list is being shown; the next wait gets the failure.
    next.catch(() => undefined);
    return next;
  }
  return {
    listen,
    /** Waits for it, at most `maxMs`. */
    async await(maxMs: number, signal: AbortSignal): Promise<void> {
      const late = new AbortController();
      const ending = AbortSignal.any([signal, late.signal]);
      const timer = sleep(maxMs, "late", { signal: ending }).catch(() => "late");
      const first = await Promise.race([listen(), timer]);
      late.abort();
      if (first !== "late") next = undefined;
    },
  };
}

/** False when the node is away. That it restarts is no reason to end: whoever follows its events says so. */
async function showUnlessAway(show: () => Promise<void>): Promise<boolean> {
  try {
    await show();
    return true;
  } catch (thrown) {
    if (!isAway(thrown)) throw thrown;
    return false;
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
  const isLive = out.terminal.live && out.forPeople;
  const clear = () => void process.stdout.write("\u001b[H\u001b[2J");
  const events = hearEvents(followEvents(context, scope));
  void events.listen();
  if (isLive) clear();
  await show();
  let isShown = true;
  while (!signal.aborted) {
    await events.await(isLive || !isShown ? REDRAW_MS : REPEAT_MS, signal);
    await sleep(CALM_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    if (isLive) clear();
    else if (out.forPeople) out.line("");
    isShown = await showUnlessAway(show);
  }
  return EXIT.ok;
}
