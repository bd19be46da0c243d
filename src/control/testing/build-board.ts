// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "#base/clock.ts";
import { silentLogger } from "#base/logger.ts";
import { createFactsBoard, type FactsBoard } from "#control/facts-board.ts";
import type { Engine } from "#engine/engine.ts";

/** The board of a node that saw no engine before, and whose host is as old as can be; `run` fills it. */
export function buildBoard(engine: Engine, clock: Clock): FactsBoard {
  return createFactsBoard({
    engine,
    clock,
    logger: silentLogger,
    engineGap: undefined,
    lastSeenMs: 0,
    hostStartedAtMs: 0,
    onGap: () => undefined,
    resyncIntervalMs: 60_000,
    nodeLabels: {},
  });
}
