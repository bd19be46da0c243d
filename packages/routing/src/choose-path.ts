// SPDX-License-Identifier: Apache-2.0
// The way between nodes on which a message of some size is expected to arrive first (Dijkstra by transfer time).

/** A measured link; in both directions unless its reverse is given too. */
export interface PathLink {
  readonly from: string;
  readonly to: string;
  /** One way. */
  readonly latencyMs: number;
  readonly bandwidthMbitS: number;
}

export interface PathHop {
  readonly from: string;
  readonly to: string;
  readonly expectedMs: number;
}

export interface Path {
  readonly hops: readonly PathHop[];
  readonly expectedMs: number;
}

/** Time for a message over one link, as nodes pass messages on whole. Infinity for a link that carries nothing. */
export function expectTransfer(link: PathLink, sizeBytes: number): number {
  const { latencyMs, bandwidthMbitS } = link;
  if (!(bandwidthMbitS > 0) || !(latencyMs >= 0)) return Infinity;
  return latencyMs + (sizeBytes * 8) / (bandwidthMbitS * 1_000);
}

/** Links by where they begin; of a link that is there twice the last counts. */
function indexLinks(
  links: readonly PathLink[],
): ReadonlyMap<string, ReadonlyMap<string, PathLink>> {
  const out = new Map<string, Map<string, PathLink>>();
  const measured = new Map(links.map((link) => [`${link.from} ${link.to}`, link]));
  const put = (link: PathLink): void => {
    out.set(link.from, (out.get(link.from) ?? new Map<string, PathLink>()).set(link.to, link));
  };
  for (const link of measured.values()) {
    put(link);
    if (!measured.has(`${link.to} ${link.from}`)) put({ ...link, from: link.to, to: link.from });
  }
  return out;
}

interface Reached {
  readonly ms: number;
  readonly hops: number;
  readonly by: PathLink | undefined;
}

/** Sooner, with fewer hops, by name: the same way on every node. */
function isBefore(a: Reached, aName: string, b: Reached, bName: string): boolean {
  if (a.ms !== b.ms) return a.ms < b.ms;
  return a.hops === b.hops ? aName < bName : a.hops < b.hops;
}

function takeNearest(open: Map<string, Reached>): readonly [string, Reached] | undefined {
  let best: readonly [string, Reached] | undefined;
  for (const entry of open)
    if (best === undefined || isBefore(entry[1], entry[0], best[1], best[0])) best = entry;
  if (best !== undefined) open.delete(best[0]);
  return best;
}

/** The quickest way; without hops from a node to itself; undefined when there is none. */
export function choosePath(
  links: readonly PathLink[],
  from: string,
  to: string,
  sizeBytes: number,
): Path | undefined {
  const out = indexLinks(links);
  const open = new Map<string, Reached>([[from, { ms: 0, hops: 0, by: undefined }]]);
  const closed = new Map<string, Reached>();
  for (let next = takeNearest(open); next !== undefined; next = takeNearest(open)) {
    const [name, reached] = next;
    closed.set(name, reached);
    if (name === to) return tracePath(closed, from, to, sizeBytes);
    for (const link of out.get(name)?.values() ?? []) {
      const ms = reached.ms + expectTransfer(link, sizeBytes);
      if (ms === Infinity || closed.has(link.to)) continue;
      const way = { ms, hops: reached.hops + 1, by: link };
      const known = open.get(link.to);
      if (known === undefined || isBefore(way, name, known, known.by?.from ?? ""))
        open.set(link.to, way);
    }
  }
  return undefined;
}

function tracePath(
  closed: ReadonlyMap<string, Reached>,
  from: string,
  to: string,
  sizeBytes: number,
): Path {
  const hops: PathHop[] = [];
  for (let at = to; at !== from;) {
    const link = closed.get(at)?.by;
    if (link === undefined) break;
    hops.unshift({ from: link.from, to: at, expectedMs: expectTransfer(link, sizeBytes) });
    at = link.from;
  }
  return { hops, expectedMs: closed.get(to)?.ms ?? Infinity };
}

/** Share by which another way has to be quicker than the one in use: what is measured wavers. */
const GAIN_MIN = 0.2;

/**
 * The way in use with its times as they are now, unless it is broken or another is quicker by more than a fifth: so ways of
 * about the same time do not take turns. Undefined when there is none.
 */
export function reconsiderPath(
  links: readonly PathLink[],
  present: Path,
  ends: { readonly from: string; readonly to: string },
  sizeBytes: number,
): Path | undefined {
  const best = choosePath(links, ends.from, ends.to, sizeBytes);
  const out = indexLinks(links);
  const hops = present.hops.map(({ from, to }) => {
    const link = out.get(from)?.get(to);
    return {
      from,
      to,
      expectedMs: link === undefined ? Infinity : expectTransfer(link, sizeBytes),
    };
  });
  const expectedMs = hops.reduce((sum, hop) => sum + hop.expectedMs, 0);
  if (best === undefined || best.expectedMs < expectedMs * (1 - GAIN_MIN)) return best;
  return { hops, expectedMs };
}
