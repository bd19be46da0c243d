// SPDX-License-Identifier: Apache-2.0
// What holds in every simulated history.
import type { NodeView } from "@fairlead/protocol/node.ts";
import { placeServices } from "#brain/placement/place-services.ts";
import { listDoubles, listMisplaced, listUndecided } from "./fleet-rules.ts";
import { buildRequest, offerOf } from "./offers.ts";
import type { SimHost } from "./sim-host.ts";
import type { World } from "./world.ts";

/** For how long two have to have been undisturbed before one may not take the other for gone. */
const UNDISTURBED_MS = 8_000;
/** How long a node needs after its start until what it says counts. */
const SETTLED_MS = 12_000;
/** More than this share lost is no network on which anything is promised. */
const LOSS_MAX = 0.3;

/** How a node sees the others, by id. */
const viewsOf = ({ node }: SimHost): ReadonlyMap<string, NodeView> =>
  new Map(node?.roll.list().map((view) => [view.id, view]));

function isCalm({ timeline }: World, host: SimHost): boolean {
  const { node } = host;
  return (
    node?.memberSinceMs !== undefined &&
    timeline.nowMs - node.memberSinceMs >= SETTLED_MS &&
    timeline.nowMs - host.disturbedMs >= UNDISTURBED_MS
  );
}

/** Faults in what the fleet says at any moment, in words. */
export function listFaults(world: World): readonly string[] {
  const { hosts, timeline, network, violations } = world;
  const faults: string[] = [...violations, ...listDoubles(hosts, timeline.nowMs)];
  for (const { id, failures } of hosts)
    for (const failure of failures) faults.push(`a loop of ${id} ended: ${failure}`);
  for (const { id, incarnations } of hosts)
    if (incarnations.some((one, at) => at > 0 && one <= (incarnations[at - 1] ?? 0)))
      faults.push(`${id} began a life that is not newer than the last: ${incarnations.join(", ")}`);
  const views = new Map(hosts.map((host) => [host, viewsOf(host)]));
  const viewOf = (observer: SimHost, { id }: SimHost) => views.get(observer)?.get(id);
  for (const observer of hosts) {
    const own = viewOf(observer, observer);
    if (own !== undefined && own.state !== "alive")
      faults.push(`${observer.id} is not alive for itself`);
    if (!isCalm(world, observer) || network.loss > LOSS_MAX) continue;
    for (const other of hosts) {
      if (other === observer || !isCalm(world, other)) continue;
      if (timeline.nowMs - world.cutMs(observer.id, other.id) < UNDISTURBED_MS) continue;
      // A store that was lost does not know who has not reached it since, and such a one is not answered.
      const knownMs = other.node?.knownSinceMs.get(observer.id) ?? timeline.nowMs;
      if (timeline.nowMs - knownMs < UNDISTURBED_MS) continue;
      const state = viewOf(observer, other)?.state;
      if (state === "gone" || state === "left")
        faults.push(`${observer.id} takes ${other.id} for ${state}, which it can hear`);
    }
  }
  return faults;
}

/** Faults after all others have ended for long enough, in words. */
export async function listUnsettled(world: World): Promise<readonly string[]> {
  const faults: string[] = [];
  const placed = new Map<string, string>();
  for (const observer of world.hosts) {
    const { node } = observer;
    if (node === undefined) continue;
    const views = viewsOf(observer);
    if (node.roll.problem !== undefined) faults.push(`${observer.id}: ${node.roll.problem}`);
    for (const other of world.hosts) {
      const state = views.get(other.id)?.state;
      const wanted = other.node === undefined ? "gone" : "alive";
      // One that never came to the roll is on nobody's, nor is one that was down when the store lost it.
      const mayLack = other.node === undefined && (other.incarnations.length === 0 || world.wiped);
      if (state !== wanted && !(mayLack && state === undefined))
        faults.push(`${observer.id} has ${other.id} as ${state}, it is ${wanted}`);
    }
    const pending = await node.decisions.list({ outcome: "pending", limit: 1 });
    if (pending.length > 0) faults.push(`${observer.id} has decisions without an end`);
    const offers = [...views.values()].map(offerOf);
    placed.set(observer.id, JSON.stringify(placeServices(offers, [buildRequest()])));
  }
  faults.push(...(await listMisplaced(world)), ...(await listUndecided(world.hosts)));
  if (new Set(placed.values()).size > 1) faults.push("nodes would place differently");
  return faults;
}
