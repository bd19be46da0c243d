// SPDX-License-Identifier: Apache-2.0
// The audit log of a node, and where its heads are kept: the node's store, the fleet's, a file that the settings name.
import { readFile, rename, writeFile } from "node:fs/promises";
import type { AuditHead, AuditLog, HeadKeeper } from "#audit/audit.ts";
import { createFileSink } from "#audit/file-sink.ts";
import { openAudit } from "#audit/open-audit.ts";
import type { AuditSink } from "#audit/sink.ts";
import { createSyslogSink } from "#audit/syslog-sink.ts";
import type { Clock } from "#base/clock.ts";
import { baseErrors, FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { findPlaces, locateNodeFiles } from "#config/node-files.ts";
import type { Settings } from "#config/settings.ts";
import type { PeerFleet } from "#control/fleet.ts";
import type { Decision } from "#model/decision.ts";
import type { Store } from "#store/store.ts";

export interface AuditNodeParts {
  readonly settings: Settings;
  readonly store: Store;
  readonly fleet: PeerFleet | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

const OWN_KEY = "audit/head";
const DAY_MS = 86_400_000;
const SYSLOG = /^(udp|tcp):\/\/\[?(\S+?)\]?:(\d+)$/;
/** How long a start waits to hear from a fleet's store where the log has to end. */
const ANSWER_MS = 2_000;

function keepInStore(store: Store): HeadKeeper {
  return {
    name: "the node's store",
    read: async () => (await store.get(OWN_KEY))?.value as AuditHead | undefined,
    write: async (value) => void (await store.transact([{ kind: "put", key: OWN_KEY, value }])),
  };
}

function keepInFile(path: string): HeadKeeper {
  return {
    name: path,
    async read() {
      try {
        return JSON.parse(await readFile(path, "utf8")) as AuditHead;
      } catch (thrown) {
        if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT")
          return undefined;
        throw thrown;
      }
    },
    async write(head) {
      await writeFile(`${path}.new`, `${JSON.stringify(head)}\n`, { mode: 0o600 });
      await rename(`${path}.new`, path);
    },
  };
}

/** The fleet's store is opened when it is first needed, and asked for again when it was away. */
function keepInFleet(fleet: PeerFleet, node: string, clock: Clock): HeadKeeper & AsyncDisposable {
  const key = `audit/${node}`;
  let opening: Promise<Store> | undefined;
  const open = (): Promise<Store> =>
    (opening ??= fleet.openStore().catch((error: unknown) => {
      opening = undefined;
      throw error;
    }));
  async function within<T>(work: (store: Store) => Promise<T>): Promise<T> {
    const done = new AbortController();
    const late = clock.sleep(ANSWER_MS, done.signal).then(() => {
      throw new FairleadError(baseErrors.timeout, "the fleet's store does not answer");
    });
    try {
      return await Promise.race([open().then(work), late]);
    } finally {
      late.catch(() => undefined);
      done.abort();
    }
  }
  return {
    name: `the store of fleet ${fleet.name}`,
    read: () => within(async (store) => (await store.get(key))?.value as AuditHead | undefined),
    write: (value) =>
      within(async (store) => void (await store.transact([{ kind: "put", key, value }]))),
    async [Symbol.asyncDispose]() {
      const store = await opening?.catch(() => undefined);
      await store?.[Symbol.asyncDispose]();
    },
  };
}

function openSinks({ audit, nodeName }: Settings): readonly AuditSink[] {
  const sinks: AuditSink[] = [];
  if (audit.file !== "") sinks.push(createFileSink(audit.file));
  const [, protocol, host = "", port] = SYSLOG.exec(audit.syslog) ?? [];
  if (protocol === "udp" || protocol === "tcp")
    sinks.push(createSyslogSink({ protocol, host, port: Number(port) }, nodeName));
  return sinks;
}

/** Opens it. Throws FL1602 `audit-key`. */
export async function startAudit(
  parts: AuditNodeParts,
  stack: AsyncDisposableStack,
): Promise<AuditLog> {
  const { settings, store, fleet, clock, logger } = parts;
  const files = locateNodeFiles(findPlaces(settings));
  const node = settings.nodeName;
  const keepers = [keepInStore(store)];
  if (fleet !== undefined) keepers.push(stack.use(keepInFleet(fleet, node, clock)));
  if (settings.audit.headFile !== "") keepers.push(keepInFile(settings.audit.headFile));
  const { keepDays, sizeMaxBytes } = settings.audit;
  const options = {
    directory: files.audit,
    keyPath: files.auditKey,
    node,
    keepers,
    sinks: openSinks(settings),
    retention: { keepMs: keepDays * DAY_MS, sizeMaxBytes },
  };
  return stack.use(await openAudit(options, { clock, logger }));
}

/** A decision as a line. Its inputs and results stay where they are: they may quote what programs printed. */
export function logDecision(audit: AuditLog, decision: Decision): void {
  const { id, scope, service, act, object, actor, title, outcome } = decision;
  audit.note({
    kind: "decision",
    actor,
    what: title,
    outcome,
    facts: { decision: id, act, object, scope, ...(service === undefined ? {} : { service }) },
  });
}
