// SPDX-License-Identifier: Apache-2.0
// What a node acts with: its store, its engine, the log of its decisions and what it sees of the host.
import { createId } from "#base/ids.ts";
import { readNodeLabels } from "#config/settings.ts";
import { createAlertBoard } from "#control/alert-board.ts";
import { createDecisionLog } from "#control/decision-log.ts";
import { createEventFeed } from "#control/event-feed.ts";
import { createFactsBoard } from "#control/facts-board.ts";
import { loadMemoryBoard } from "#control/memory-board.ts";
import type { Engine } from "#engine/engine.ts";
import { openEngine } from "#engine/open.ts";
import type { Facts } from "#model/facts.ts";
import type { Store } from "#store/store.ts";
import { readHostUpMs } from "./host-uptime.ts";
import { SEEN_KEY } from "./keep-house.ts";
import type { NodeParts } from "./node-parts.ts";
import { openNodeStore } from "./open-node-store.ts";
import { publishChanges } from "./publish-changes.ts";
import { logDecision, startAudit } from "./start-audit.ts";
import { describeFleet } from "./start-fleet.ts";

const GAP_KEY = "node/engine-gap";

interface Past {
  readonly gap: Facts["engineGap"];
  readonly lastSeenMs: number;
}

async function readPast(store: Store): Promise<Past> {
  const gap = (await store.get(GAP_KEY))?.value as Facts["engineGap"];
  const seen = (await store.get(SEEN_KEY))?.value;
  return { gap, lastSeenMs: typeof seen === "number" ? seen : 0 };
}

function createLoops(parts: NodeParts, store: Store, engine: Engine, past: Past) {
  const { clock, random, logger, settings } = parts;
  const decisions = createDecisionLog({ store, clock, random, logger });
  const alerts = createAlertBoard(clock, random);
  const feed = createEventFeed(createId("ep", clock.nowMs(), random));
  const board = createFactsBoard({
    engine,
    clock,
    logger,
    engineGap: past.gap,
    lastSeenMs: past.lastSeenMs,
    hostStartedAtMs: clock.nowMs() - readHostUpMs(),
    onGap: (value) => void decisions.write([{ kind: "put", key: GAP_KEY, value }]),
    resyncIntervalMs: settings.resyncIntervalMs,
    nodeLabels: readNodeLabels(settings),
  });
  return { decisions, alerts, feed, board };
}

/** Opens store and engine, and marks what a node before this one left open. */
export async function openHands(parts: NodeParts, stack: AsyncDisposableStack) {
  const { settings, clock, random, logger } = parts;
  const { store, lost } = await openNodeStore(settings, { clock, logger });
  stack.use(store);
  const engine = stack.use(
    openEngine({ endpoint: settings.engine.endpoint, env: parts.env }, { clock, random }),
  );
  const loops = createLoops(parts, store, engine, await readPast(store));
  const interrupted = await loops.decisions.recover();
  if (interrupted > 0)
    logger.info("decisions of a node that was ended are marked", { count: interrupted });
  if (lost.length > 0) {
    loops.alerts.set(
      "StoreDamaged",
      `the store was damaged and moved to ${lost[0] ?? ""}; run up again for each scope`,
    );
  }
  publishChanges(loops, clock);
  const audit = await startAudit({ ...parts, store, fleet: describeFleet(parts) }, stack);
  loops.decisions.onDecision((decision) => logDecision(audit, decision));
  return { store, engine, loops, audit, memory: await loadMemoryBoard(store) };
}

/** A node's store and engine, what was decided, and what is seen. */
export type Hands = Awaited<ReturnType<typeof openHands>>;
