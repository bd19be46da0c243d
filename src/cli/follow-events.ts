// SPDX-License-Identifier: Apache-2.0
// Events without end: when the node goes away, connects again and goes on where it was.
import { setTimeout as sleep } from "node:timers/promises";
import type { EventLine } from "@fairlead/protocol/routes.ts";
import { isKind } from "#base/errors.ts";
import type { Context } from "./context.ts";
import { cliErrors } from "./errors.ts";

const WAIT_FIRST_MS = 100;
const WAIT_MAX_MS = 2_000;
/** No node has given it: asked to go on after it, a node says that events were lost. */
const NO_ID = "none";

/** True for an error that only says that no node is there at the moment. */
export function isAway(thrown: unknown): boolean {
  return (
    isKind(thrown, cliErrors["connection-lost"]) || isKind(thrown, cliErrors["node-unreachable"])
  );
}

/**
 * Events of one scope or of all, until interrupted. Says on stderr when the node goes away and when it is back; what
 * cannot be had again is a `lagged` event. Throws FL0611 when no node answers at first, and what a node refuses.
 */
export async function* followEvents(
  context: Context,
  scope: string | undefined,
): AsyncGenerator<EventLine> {
  const { api, out, signal } = context;
  const link = { known: false, here: false, waitMs: WAIT_FIRST_MS };
  const onAnswer = (): void => {
    if (link.known) out.warn("! the node answers again; events go on");
    Object.assign(link, { known: true, here: true, waitMs: WAIT_FIRST_MS });
  };
  let lastEventId: string | undefined;
  while (!signal.aborted) {
    try {
      const after = lastEventId ?? (link.known ? NO_ID : undefined);
      const call = { query: { scope }, lastEventId: after, onAnswer };
      for await (const line of api.lines<EventLine>("GET", "events", call)) {
        if (line.id !== "") lastEventId = line.id;
        yield line;
      }
    } catch (thrown) {
      if (!link.known || signal.aborted || !isAway(thrown)) throw thrown;
    }
    if (signal.aborted) return;
    if (link.here) out.warn("! the node went away; waiting for it");
    link.here = false;
    await sleep(link.waitMs, undefined, { signal }).catch(() => undefined);
    link.waitMs = Math.min(WAIT_MAX_MS, link.waitMs * 2);
  }
}
