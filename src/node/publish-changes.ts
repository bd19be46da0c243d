// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "#base/clock.ts";
import type { AlertBoard } from "#control/alert-board.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import type { EventFeed } from "#control/event-feed.ts";
import type { FactsBoard } from "#control/facts-board.ts";

interface PublishedParts {
  readonly board: FactsBoard;
  readonly decisions: DecisionLog;
  readonly alerts: AlertBoard;
  readonly feed: EventFeed;
}

/** Tells followers of events what is decided, what is alarming, and what the engine says. */
export function publishChanges(loops: PublishedParts, clock: Clock): void {
  const { board, decisions, alerts, feed } = loops;
  decisions.onDecision((decision) =>
    feed.publish({ kind: "decision", atMs: clock.nowMs(), decision }),
  );
  alerts.onAlert((alert, resolved) =>
    feed.publish({ kind: "alert", atMs: clock.nowMs(), alert, resolved }),
  );
  board.onChange(({ event }) => {
    if (event === undefined || /^exec_|^top$|^attach$/.test(event.action)) return;
    const instance = board.find(event.id);
    feed.publish({
      kind: "engine",
      atMs: Number(event.timeNs / 1_000_000n),
      ...(instance === undefined ? {} : { scope: instance.scope, service: instance.service }),
      object: instance?.name ?? event.attributes["name"] ?? event.id,
      action: `${event.type} ${event.action}`,
    });
  });
}
