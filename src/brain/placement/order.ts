// SPDX-License-Identifier: Apache-2.0
// Who is placed before whom.
import type { PlaceRequest } from "./offer.ts";

/** For each service those with which it may not share a node, whoever of the two said so, by name. */
export function listFoes(
  requests: readonly PlaceRequest[],
): ReadonlyMap<string, readonly string[]> {
  const foes = new Map<string, Set<string>>();
  const note = (service: string, other: string): void => {
    const known = foes.get(service);
    if (known === undefined) foes.set(service, new Set([other]));
    else known.add(other);
  };
  for (const { service, apart } of requests)
    for (const other of apart) {
      note(service, other);
      note(other, service);
    }
  return new Map([...foes].map(([service, others]) => [service, [...others].sort()]));
}

/** Those that are choosier come first: they find least when others have chosen. */
function compareRequests(a: PlaceRequest, b: PlaceRequest): number {
  const choosy = ({ constraints, pins, ports }: PlaceRequest): number =>
    constraints.length + pins.length + ports.length;
  return (
    b.priority - a.priority ||
    b.pins.length - a.pins.length ||
    choosy(b) - choosy(a) ||
    b.memoryBytes - a.memoryBytes ||
    b.cpuMillis - a.cpuMillis ||
    (a.service < b.service ? -1 : 1)
  );
}

/**
 * Numbers of the requests in the order in which they are placed, whatever theirs: higher priorities first, then the
 * choosier and the larger; but one that would rather stand near others comes after those of them that have its priority.
 */
export function orderRequests(requests: readonly PlaceRequest[]): readonly number[] {
  const sorted = requests.map((request, index) => ({ request, index }));
  sorted.sort((a, b) => compareRequests(a.request, b.request));
  if (requests.every(({ near }) => near.length === 0)) return sorted.map(({ index }) => index);
  const byName = new Map(sorted.map((one) => [one.request.service, one]));
  const order: number[] = [];
  const taken = new Set<number>();
  for (const start of sorted) {
    // Depth first, without recursion: chains of files of strangers are as long as they like.
    const path = taken.has(start.index) ? [] : [start];
    while (path.length > 0) {
      const one = path.at(-1);
      if (one === undefined) break;
      const { request, index } = one;
      taken.add(index);
      const next = request.near
        .map((other) => byName.get(other))
        .find((other) => other?.request.priority === request.priority && !taken.has(other.index));
      if (next !== undefined) {
        path.push(next);
        continue;
      }
      path.pop();
      order.push(index);
    }
  }
  return order;
}
