// SPDX-License-Identifier: Apache-2.0
// What the nodes of a fleet tell each other of who talks to whom: each what its own agents do, all of it again when it changed.
import type { NodeLinks } from "@fairlead/fabric/node-links.ts";
import { ObservedLinks, type ObservedLink } from "@fairlead/protocol/topology.ts";
import { z } from "zod";

const KEY = "observed";
/** Links of one scope that are told, those seen last; what was seen on the others is counted as left out. */
const LINKS_MAX = 2_000;

const Told = z.record(z.string().max(255), ObservedLinks);
type Told = z.infer<typeof Told>;

export interface ToldLinks extends Disposable {
  /** Tells what this node sees, if that is another than before. */
  tell(scopes: readonly ObservedLinks[]): void;
  /** What others see of a scope. */
  of(scope: string): readonly ObservedLinks[];
}

function shorten(seen: ObservedLinks): ObservedLinks {
  if (seen.links.length <= LINKS_MAX) return seen;
  const sorted = seen.links.toSorted((a, b) => b.lastSeenMs - a.lastSeenMs);
  const rest = sorted.slice(LINKS_MAX).reduce((sum, { used, refused }) => sum + used + refused, 0);
  return { ...seen, links: sorted.slice(0, LINKS_MAX), omitted: seen.omitted + rest };
}

/** Follows what other nodes tell; what a node has told goes with its link. */
export function createToldLinks(nodes: Pick<NodeLinks, "tell" | "onTold" | "onTurn">): ToldLinks {
  const told = new Map<string, Told>();
  let said = "";
  const stops = [
    nodes.onTold(({ id }, key, value) => {
      if (key === KEY) told.set(id, Told.safeParse(value).data ?? {});
    }),
    nodes.onTurn(({ id }, link) => void (link === undefined && told.delete(id))),
  ];
  return {
    tell(scopes) {
      // The times at which nothing was seen are no news.
      const text = JSON.stringify(scopes.map((seen) => ({ ...seen, asOfMs: 0, sinceMs: 0 })));
      if (text === said) return;
      said = text;
      nodes.tell(KEY, Object.fromEntries(scopes.map((seen) => [seen.scope, shorten(seen)])));
    },
    of: (scope) => [...told.values()].flatMap((scopes) => scopes[scope] ?? []),
    [Symbol.dispose]() {
      for (const stop of stops) stop();
    },
  };
}

/** What several see of a scope, as one. Sorted by name. */
export function joinObserved(own: ObservedLinks, others: readonly ObservedLinks[]): ObservedLinks {
  if (others.length === 0) return own;
  const all = [own, ...others];
  const join = (pick: (one: ObservedLinks) => readonly string[]): readonly string[] =>
    [...new Set(all.flatMap(pick))].sort();
  return {
    ...own,
    sinceMs: Math.max(...all.map(({ sinceMs }) => sinceMs)),
    links: addTogether(all.flatMap(({ links }) => links)),
    agents: join(({ agents }) => agents),
    silent: join(({ silent }) => silent),
    omitted: all.reduce((sum, { omitted }) => sum + omitted, 0),
  };
}

/** Each link once, with all that was seen on it. Sorted by name. */
export function addTogether(seen: Iterable<ObservedLink>): readonly ObservedLink[] {
  const links = new Map<string, ObservedLink>();
  for (const { from, to, used, refused, lastSeenMs } of seen) {
    const key = `${from} ${to}`;
    const known = links.get(key);
    links.set(key, {
      from,
      to,
      used: used + (known?.used ?? 0),
      refused: refused + (known?.refused ?? 0),
      lastSeenMs: Math.max(lastSeenMs, known?.lastSeenMs ?? 0),
    });
  }
  return [...links].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, link]) => link);
}
