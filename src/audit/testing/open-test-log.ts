// SPDX-License-Identifier: Apache-2.0
// A log in a directory of its own with a keeper in memory, for tests.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { AuditEntry, AuditHead, AuditLog, HeadKeeper } from "#audit/audit.ts";
import { openAudit, type AuditOptions } from "#audit/open-audit.ts";
import type { Clock } from "#base/clock.ts";
import { silentLogger } from "#base/logger.ts";

const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (delayMs, signal) => wait(delayMs, undefined, signal === undefined ? {} : { signal }),
};

/** Where a log's files are, and the heads that were kept elsewhere. */
export interface LogPlace extends Disposable {
  readonly directory: string;
  readonly heads: AuditHead[];
  /** Time for the log may be moved by `aheadMs`. */
  open(
    more?: Pick<AuditOptions, "sinks" | "retention"> & { readonly aheadMs?: number },
  ): Promise<AuditLog>;
}

/** An entry of a test. */
export function makeEntry(what: string): AuditEntry {
  return { kind: "api", actor: "token", what, outcome: "asked", facts: { bytes: 3 } };
}

/** Makes the place, or uses a directory that is there. */
export function makePlace(at?: string): LogPlace {
  const root = at ?? mkdtempSync(join(tmpdir(), "fairlead-audit-"));
  const heads: AuditHead[] = [];
  const keeper: HeadKeeper = {
    name: "another host",
    read: () => Promise.resolve(heads.at(-1)),
    write: (head) => Promise.resolve(void heads.push(head)),
  };
  const directory = join(root, "audit");
  return {
    directory,
    heads,
    open: ({ aheadMs = 0, ...more } = {}) =>
      openAudit(
        {
          directory,
          keyPath: join(root, "audit-key.pem"),
          node: "node-a",
          keepers: [keeper],
          ...more,
        },
        { clock: { ...clock, nowMs: () => Date.now() + aheadMs }, logger: silentLogger },
      ),
    [Symbol.dispose]: () => {
      if (at === undefined) rmSync(root, { recursive: true, force: true });
    },
  };
}
