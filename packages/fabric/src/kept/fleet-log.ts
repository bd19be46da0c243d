// SPDX-License-Identifier: Apache-2.0
// The messages that all nodes of a fleet keep, as one log: each is kept, once, by the node where it was published; subscribers
// have those of all nodes that are linked. There is no copy: what a host that is away keeps waits until it is back.
import type { Link } from "@fairlead/fabric/link.ts";
import type { LogClock, MessageLog } from "@fairlead/fabric/log/message-log.ts";
import type { NodeLinks } from "@fairlead/fabric/node-links.ts";
import { z } from "zod";
import { FleetGroup } from "./fleet-group.ts";
import { createTokenBook } from "./token-book.ts";

export interface FleetLogOptions {
  /** What this node keeps. Disposing of it stays with its owner. */
  readonly own: MessageLog;
  readonly nodes: Pick<NodeLinks, "onTurn" | "onTold" | "tell">;
  readonly clock: LogClock;
}

const KEY = "groups";
const GROUPS_MAX = 1_000;
/** How long a subscriber waits for the other nodes to have its group too. */
const OPEN_MS = 2_000;

const ToldGroups = z
  .array(z.object({ name: z.string().max(512), pattern: z.string().max(1_024) }))
  .max(GROUPS_MAX);

/** Makes it before any link is there. */
export function createFleetLog({ own, nodes, clock }: FleetLogOptions): MessageLog {
  const links = new Map<string, Link>();
  const groups = new Set<FleetGroup>();
  const tokens = createTokenBook(clock.nowMs());
  /** Durable groups that were opened here, so that all nodes keep for them, also while nobody reads. */
  const durable = new Map<string, { readonly name: string; readonly pattern: string }>();
  const ending = new AbortController();
  let count = 0;

  function note(name: string, pattern: string): string {
    const key = JSON.stringify([name, pattern]);
    if (durable.has(key)) return key;
    durable.set(key, { name, pattern });
    nodes.tell(KEY, [...durable.values()].slice(-GROUPS_MAX));
    return key;
  }

  /** Makes groups of other nodes that are not here yet; what is published from now on waits for them. */
  async function ensure(told: z.infer<typeof ToldGroups>): Promise<void> {
    for (const group of told) {
      const options = { ...group, ackTimeoutMs: 1, attemptsMax: 1, inFlightMax: 1 };
      const handle = await own.openGroup({ ...options, from: "now" });
      await handle[Symbol.asyncDispose]();
    }
  }

  const stops = [
    nodes.onTurn(({ id }, link) => {
      if (link === undefined) links.delete(id);
      else links.set(id, link);
      for (const group of groups) group.setLink(id, link).catch(() => undefined);
    }),
    nodes.onTold((_, key, value) => {
      // A log that takes nothing now is told again with the next link.
      if (key === KEY) ensure(ToldGroups.safeParse(value).data ?? []).catch(() => undefined);
    }),
  ];

  return {
    publish: (publication) => own.publish(publication),
    async openGroup(options) {
      const { name, pattern } = options;
      const handle = await own.openGroup(options);
      const group = new FleetGroup({
        own: handle,
        options,
        key: name === undefined ? `(ephemeral ${++count})` : note(name, pattern),
        tokens,
        clock,
        onClose: (closed) => void groups.delete(closed),
      });
      groups.add(group);
      const opened = Promise.allSettled([...links].map(([id, link]) => group.setLink(id, link)));
      const late = new AbortController();
      await Promise.race([
        opened,
        clock.sleep(OPEN_MS, AbortSignal.any([late.signal, ending.signal])).catch(() => undefined),
      ]);
      late.abort();
      return group;
    },
    stats: () => own.stats(),
    async [Symbol.asyncDispose]() {
      ending.abort();
      for (const stop of stops) stop();
      for (const group of groups) await group[Symbol.asyncDispose]();
    },
  };
}
