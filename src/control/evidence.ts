// SPDX-License-Identifier: Apache-2.0
// What there was before an act: exit state, health output, the last log lines. Read so that healing is not delayed.
import type { EngineReader } from "#engine/engine.ts";
import type { PlannedAction } from "#model/action.ts";
import type { Decision } from "#model/decision.ts";
import type { FactsBoard } from "./facts-board.ts";

const LOG_LINES = 10;
const LINE_CHARACTERS_MAX = 300;
/** What is looked at of a line: a secret must not be cut before it is hidden. */
const LOOK_CHARACTERS_MAX = 4_096;
const LOG_DEADLINE_MS = 2_000;

type Before = NonNullable<Decision["before"]>;

/** Hides the secrets that are known of a service. */
export type Mask = (text: string) => string;

/** Evidence as far as it could be had without waiting. */
export interface Kept {
  readonly before: Before;
  readonly containerId: string;
  /** Set when the log is to be read after the act, up to this time. */
  readonly logUntilMs: number | undefined;
  readonly mask: Mask;
}

export interface Evidence {
  /** Reads what the act will destroy; the log of a container that stays is read afterwards. */
  read(action: PlannedAction, mask: Mask): Promise<Kept | undefined>;
  complete(kept: Kept): Promise<Before>;
}

/** Values that look like credentials are cut: logs of others are kept in our store. */
function maskSecrets(line: string): string {
  return line
    .replace(
      /((?:password|passwd|secret|token|api[_-]?key|authorization)["']?\s*[=:]\s*["']?)[^\s"',;]+/gi,
      "$1[hidden]",
    )
    .replace(/(\w+:\/\/[^:/\s]+:)[^@/\s]+@/g, "$1[hidden]@");
}

/** Reads evidence from an engine. */
export function createEvidence(engine: EngineReader, board: FactsBoard): Evidence {
  function shorten(text: string, mask: Mask): string {
    return maskSecrets(mask(text.slice(0, LOOK_CHARACTERS_MAX))).slice(0, LINE_CHARACTERS_MAX);
  }

  async function readLog(id: string, mask: Mask, untilMs?: number): Promise<string[]> {
    const lines: string[] = [];
    try {
      const options = {
        tail: LOG_LINES,
        deadlineMs: LOG_DEADLINE_MS,
        ...(untilMs === undefined ? {} : { untilMs }),
      };
      for await (const line of engine.logs(id, options)) {
        lines.push(shorten(line.text, mask));
        if (lines.length > LOG_LINES) lines.shift();
      }
    } catch {
      // A log that cannot be read is no reason to leave a container down.
    }
    return lines;
  }

  async function readHealth(id: string, mask: Mask): Promise<string | undefined> {
    try {
      const checks = await engine.healthLog(id, { deadlineMs: LOG_DEADLINE_MS });
      const output = checks[checks.length - 1]?.output.trim();
      return output === undefined ? undefined : shorten(output, mask);
    } catch {
      return undefined;
    }
  }

  return {
    async read(action, mask) {
      if (action.budget === undefined || action.target === undefined) return undefined;
      const instance = board.find(action.target);
      if (instance === undefined) return undefined;
      const state = instance.state === "running" ? `running, ${instance.health}` : instance.state;
      const ended = instance.state !== "running" && instance.finishedAtMs > 0;
      const base: Before = {
        state,
        oomKilled: instance.oomKilled,
        ...(ended ? { exitCode: instance.exitCode } : {}),
      };
      const stays = action.act === "instance.start" || action.act === "service.quarantine";
      if (stays) {
        return {
          before: base,
          containerId: instance.id,
          logUntilMs: instance.finishedAtMs + 1,
          mask,
        };
      }
      const [healthOutput, logTail] = await Promise.all([
        instance.health === "unhealthy" ? readHealth(instance.id, mask) : undefined,
        readLog(instance.id, mask),
      ]);
      const before = { ...base, ...(healthOutput === undefined ? {} : { healthOutput }), logTail };
      return { before, containerId: instance.id, logUntilMs: undefined, mask };
    },
    async complete(kept) {
      if (kept.logUntilMs === undefined) return kept.before;
      return {
        ...kept.before,
        logTail: await readLog(kept.containerId, kept.mask, kept.logUntilMs),
      };
    },
  };
}
