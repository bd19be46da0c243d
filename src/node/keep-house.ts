// SPDX-License-Identifier: Apache-2.0
// What a node does besides its loops: forget old decisions, watch the store's size, know who the engine is.
import type { AuditLog } from "#audit/audit.ts";
import type { Clock } from "#base/clock.ts";
import { isKind } from "#base/errors.ts";
import { createId } from "#base/ids.ts";
import type { Logger } from "#base/logger.ts";
import { formatSize } from "#base/size.ts";
import type { Settings } from "#config/settings.ts";
import type { AlertBoard } from "#control/alert-board.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import { controlErrors } from "#control/errors.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import type { FleetDesk } from "#control/fleet/fleet-desk.ts";
import type { PolicyLoop } from "#control/policies/create-policies.ts";
import type { Engine, EngineInfo } from "#engine/engine.ts";
import { storeErrors } from "#store/errors.ts";
import { pruneStore } from "#store/prune.ts";
import type { Store } from "#store/store.ts";

export interface HouseParts {
  readonly store: Store;
  readonly engine: Engine;
  readonly board: FactsBoard;
  readonly decisions: DecisionLog;
  readonly alerts: AlertBoard;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: Settings;
  /** Of a node in a fleet. */
  readonly fleet: Pick<FleetDesk, "unread"> | undefined;
  readonly policies: Pick<PolicyLoop, "unread" | "disturbed">;
}

const PRUNE_INTERVAL_MS = 600_000;
const LOOK_INTERVAL_MS = 2_000;
const SEEN_INTERVAL_MS = 10_000;
const MEASURE_INTERVAL_MS = 30_000;
/** A store that has to read everything to know its size is asked for it less than a hundredth of the time. */
const MEASURE_REST = 100;
/** Where it is kept when the engine was last seen. */
export const SEEN_KEY = "node/seen";
const DAY_MS = 86_400_000;

export interface House {
  run(signal: AbortSignal): Promise<void>;
  engineInfo(): EngineInfo | undefined;
  storeSizeBytes(): number;
}

/** Makes the housekeeper. */
export function keepHouse(parts: HouseParts): House {
  const { store, engine, board, decisions, alerts, audit, clock, logger, settings } = parts;
  let info: EngineInfo | undefined;
  let sizeBytes = 0;

  async function prune(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const oldestMs = clock.nowMs() - settings.decisions.keepDays * DAY_MS;
        const beforeKey = `decision/${createId("dec", oldestMs, () => 0)}`;
        const { sizeMaxBytes } = settings.decisions;
        const pruned = await pruneStore(store, { prefix: "decision/", beforeKey, sizeMaxBytes });
        await measure();
        if (pruned > 0)
          logger.info("old decisions were forgotten", {
            count: pruned,
            size: formatSize(sizeBytes),
          });
      } catch (error) {
        logger.warn("old decisions could not be forgotten", { reason: String(error) });
      }
      await clock.sleep(PRUNE_INTERVAL_MS, signal).catch(() => undefined);
    }
  }

  let nextMeasureMs = 0;
  async function measure(): Promise<void> {
    const beganMs = clock.monotonicMs();
    nextMeasureMs = beganMs + MEASURE_INTERVAL_MS;
    sizeBytes = (await store.measure("")).sizeBytes;
    const endMs = clock.monotonicMs();
    nextMeasureMs = Math.max(nextMeasureMs, endMs + (endMs - beganMs) * MEASURE_REST);
  }

  let seenMs = 0;
  /** So that a later node can tell what ended while nobody looked. */
  async function noteSeen(): Promise<void> {
    const nowMs = clock.nowMs();
    if (!board.ready || decisions.problem !== undefined || nowMs - seenMs < SEEN_INTERVAL_MS)
      return;
    seenMs = nowMs;
    await store.transact([{ kind: "put", key: SEEN_KEY, value: nowMs }]).catch(() => undefined);
  }

  const nameOf = (id: string): string => board.find(id)?.name ?? id.slice(0, 12);

  function raiseAlerts(): void {
    const refusal = decisions.problem;
    const isFull = refusal !== undefined && isKind(refusal, storeErrors["store-full"]);
    const told = refusal && `the store takes no writes: ${refusal.message}`;
    const away = board.problem;
    alerts.set("StoreFull", isFull ? told : undefined);
    alerts.set("StoreUnavailable", isFull ? undefined : told);
    const { loss } = decisions;
    const isRecent = loss !== undefined && clock.nowMs() - loss.atMs < DAY_MS;
    alerts.set(
      "DecisionsLost",
      isRecent
        ? `${loss.count} decisions were never kept: more waited for the store than may`
        : undefined,
    );
    alerts.set(
      "EngineUnreachable",
      away === undefined ? undefined : `the engine does not answer: ${away}`,
    );
    alerts.set("AuditProblem", audit.problem);
    const unread = parts.fleet?.unread() ?? [];
    const { id, remedy } = controlErrors["intent-unread"];
    alerts.set(
      "IntentUnread",
      unread.length === 0
        ? undefined
        : `${id}: a newer version wrote what is wanted of ${unread.join(", ")}: ${remedy}`,
    );
    alerts.set("PoliciesUnread", parts.policies.unread);
    alerts.set("PoliciesDisturbed", parts.policies.disturbed);
    const [unreadable] = board.unreadable;
    alerts.set(
      "ContainerUnreadable",
      unreadable === undefined
        ? undefined
        : `the engine cannot describe container ${nameOf(unreadable[0])}: ${unreadable[1]}`,
    );
  }

  async function look(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      raiseAlerts();
      await noteSeen();
      if (clock.monotonicMs() >= nextMeasureMs) await measure().catch(() => undefined);
      if (!board.ready) info = undefined;
      else info ??= await engine.info({ signal }).catch(() => undefined);
      await clock.sleep(LOOK_INTERVAL_MS, signal).catch(() => undefined);
    }
  }

  return {
    run: async (signal) => {
      using stack = new DisposableStack();
      stack.defer(board.onChange(raiseAlerts));
      await Promise.all([prune(signal), look(signal)]);
    },
    engineInfo: () => info,
    storeSizeBytes: () => sizeBytes,
  };
}
