// SPDX-License-Identifier: Apache-2.0
// Tells the agents that joined here by every way there is. That one has more or less work to do is told now and then; all
// else at once.
import { isDeepStrictEqual } from "node:util";
import type { AgentChange, AgentRecord } from "@fairlead/protocol/agent.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { Announcement, Discovery } from "./discovery.ts";

/** Where agents join. */
export interface AgentSource {
  list(): readonly AgentRecord[];
  /** Calls for each change until the returned function is called. */
  watch(listener: (change: AgentChange) => void): () => void;
}

export interface AnnounceOptions {
  readonly source: AgentSource;
  /** Which agents others are told of. */
  readonly isPublic: (record: AgentRecord) => boolean;
  /** Least time between two changes of an agent's load that are told. */
  readonly loadIntervalMs: number;
}

export interface AgentAnnouncer extends AsyncDisposable {
  /** Tells all by one more way, which has come up later. */
  add(way: Discovery): void;
  /** Whether this is an agent that is announced here. */
  has(id: string): boolean;
}

interface Told {
  record: AgentRecord;
  readonly announcements: Promise<Announcement | undefined>[];
}

/** Announces those who are there and those who come, until disposed of. */
export function announceAgents(
  { source, isPublic, loadIntervalMs }: AnnounceOptions,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): AgentAnnouncer {
  const ways: Discovery[] = [];
  const told = new Map<string, Told>();
  /** Those whose load has changed since it was told. */
  const busier = new Map<string, AgentRecord>();
  const closing = new AbortController();

  async function announceBy(
    way: Discovery,
    record: AgentRecord,
  ): Promise<Announcement | undefined> {
    try {
      return await way.announce(record);
    } catch (thrown) {
      const reason = FairleadError.from(thrown).message;
      logger.warn("an agent is not announced", { agent: record.id, way: way.kind, reason });
      return undefined;
    }
  }

  function announce(record: AgentRecord): void {
    busier.delete(record.id);
    told.set(record.id, {
      record,
      announcements: ways.map((way) => announceBy(way, record)),
    });
  }

  async function takeBack(announcements: Told["announcements"]): Promise<void> {
    await Promise.all(announcements.map(async (one) => (await one)?.[Symbol.asyncDispose]()));
  }

  function take({ type, agent }: AgentChange): void {
    const known = told.get(agent.id);
    if (type === "gone") {
      told.delete(agent.id);
      busier.delete(agent.id);
      if (known !== undefined)
        takeBack(known.announcements).catch((thrown: unknown) =>
          logger.warn("an agent that left is still announced", { reason: String(thrown) }),
        );
    } else if (isPublic(agent)) {
      const isLoadOnly =
        known !== undefined && isDeepStrictEqual({ ...known.record, load: agent.load }, agent);
      if (isLoadOnly) busier.set(agent.id, agent);
      else announce(agent);
    }
  }

  async function tellLoads(): Promise<void> {
    while (!closing.signal.aborted) {
      await clock.sleep(loadIntervalMs, closing.signal).catch(() => undefined);
      for (const record of busier.values())
        if (record.load !== told.get(record.id)?.record.load) announce(record);
      busier.clear();
    }
  }

  const stop = source.watch(take);
  for (const agent of source.list()) take({ type: "up", agent });
  const telling = tellLoads();
  return {
    add(way) {
      ways.push(way);
      for (const { record, announcements } of told.values())
        announcements.push(announceBy(way, record));
    },
    has: (id) => told.has(id),
    async [Symbol.asyncDispose]() {
      stop();
      closing.abort();
      await telling;
    },
  };
}
