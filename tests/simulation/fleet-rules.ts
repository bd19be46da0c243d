// SPDX-License-Identifier: Apache-2.0
// What the simulated fleet runs, and the rules of it: one leader's writes count, a singleton runs once, and in peace
// everything wanted runs where it was assigned, and nothing else.
import { Assignment, FleetIntent } from "@fairlead/protocol/assignment.ts";
import { buildIntent, buildService, SCOPE } from "#brain/testing/builders.ts";
import { readRoll } from "#control/roll-entries.ts";
import type { Intent } from "#model/intent.ts";
import type { Store } from "#store/store.ts";
import type { SimHost } from "./sim-host.ts";

export { SCOPE };

const ASSIGNMENT = `assignments/${SCOPE}`;
/** The service that runs once on the whole fleet. */
export const SINGLETON = "one";
const SINGLETON_KEY = `${SINGLETON}/1`;
/** How long a host that stood still has for stopping what it may not run any more. */
const WAKING_MS = 2_000;
/** How long a node that has just started waits for the store, and then takes to stop it. */
const STARTING_MS = 8_000;

/** `web` in so many instances, and `one` once. */
export function describeIntent(replicas: number): Intent {
  return buildIntent([
    buildService({ name: "web", replicas }),
    buildService({ name: SINGLETON, singleton: true, stopGraceMs: 1_000 }),
  ]);
}

/** The store, where each assignment has to carry the fence of whoever leads at that moment, and none an older one. */
export function watchFences(store: Store, report: (violation: string) => void): Store {
  let newest = 0;
  return {
    ...store,
    async transact(operations, conditions, options) {
      const isWatched = operations.some(({ kind, key }) => kind === "put" && key === ASSIGNMENT);
      const leader = isWatched ? await store.get("leader") : undefined;
      const revision = await store.transact(operations, conditions, options);
      for (const operation of isWatched && revision !== undefined ? operations : []) {
        if (operation.kind !== "put" || operation.key !== ASSIGNMENT) continue;
        const { fence } = Assignment.parse(operation.value);
        if (fence !== leader?.revision)
          report(
            `an assignment with fence ${fence} took effect, the leader has ${leader?.revision}`,
          );
        if (fence < newest)
          report(`an assignment with fence ${fence} came after one with ${newest}`);
        newest = Math.max(newest, fence);
      }
      return revision;
    },
  };
}

/** Whether a node is there that has had the time to stop what may not run any more. */
function isAwake({ node, startedMs, disk }: SimHost, nowMs: number): boolean {
  if (node === undefined) return false;
  const { pausedUntilMs } = node.life;
  const isUp = nowMs >= startedMs + STARTING_MS;
  // It is written down before it is stopped.
  return isUp && nowMs >= pausedUntilMs + (pausedUntilMs > 0 ? WAKING_MS + disk.delayMsMax : 0);
}

/** Hosts on which the singleton runs at once, when there is more than one; who stands still, or has no node, stops nothing. */
export function listDoubles(hosts: readonly SimHost[], nowMs: number): readonly string[] {
  const at = hosts.filter(
    (host) => isAwake(host, nowMs) && host.engine.listRunning().includes(SINGLETON_KEY),
  );
  return at.length > 1 ? [`the singleton runs on ${at.map(({ id }) => id).join(" and ")}`] : [];
}

interface Placed {
  readonly store: Store;
  readonly hosts: readonly SimHost[];
  /** How many of `web` were wanted last; undefined when the store has lost everything since. */
  readonly wanted: number | undefined;
}

/** How many of `web` the store says are wanted; 0 when it knows of nothing. */
async function countWanted({ store, hosts, wanted }: Placed, faults: string[]): Promise<number> {
  const known = FleetIntent.safeParse((await store.get(`intent/${SCOPE}`))?.value).data;
  if (known === undefined) {
    for (const { id, node, findDesired } of hosts)
      if (node !== undefined && (await findDesired(SCOPE)) !== undefined)
        faults.push(`nothing is wanted, though ${id} knows what was`);
    return 0;
  }
  const count = known.intent.services.find(({ name }) => name === "web")?.replicas ?? 0;
  if (wanted !== undefined && wanted !== count)
    faults.push(`${count} of web are wanted, ${wanted} were asked for`);
  return count;
}

/** Where each instance is assigned, `service/slot@node`; a drained node has none while another takes them. */
async function listAssigned(
  { store }: Placed,
  live: readonly string[],
  faults: string[],
): Promise<readonly string[]> {
  const parsed = Assignment.safeParse((await store.get(ASSIGNMENT))?.value);
  if (!parsed.success) return [];
  const { records: nodes } = await readRoll(store);
  const open = nodes.filter(({ id, schedulable }) => schedulable && live.includes(id));
  const drained = new Set(
    open.length === 0 ? [] : nodes.filter(({ draining }) => draining).map(({ id }) => id),
  );
  return Object.entries(parsed.data.services).flatMap(([service, slots]) =>
    slots.flatMap(({ slot, node, from = [] }) => {
      if (drained.has(node)) faults.push(`${service}/${slot} is on ${node}, which is drained`);
      return [node, ...from].map((id) => `${service}/${slot}@${id}`);
    }),
  );
}

/** What does not run as it is wanted and assigned, in words. */
export async function listMisplaced(placed: Placed): Promise<readonly string[]> {
  const live = placed.hosts.filter(({ node }) => node !== undefined);
  if (live.length === 0) return [];
  const faults: string[] = [];
  const count = await countWanted(placed, faults);
  const ids = live.map(({ id }) => id);
  const assigned = (await listAssigned(placed, ids, faults)).toSorted();
  const runs = live.flatMap(({ id, engine }) => engine.listRunning().map((key) => `${key}@${id}`));
  if (runs.toSorted().join(" ") !== assigned.join(" "))
    faults.push(`runs ${runs.toSorted().join(" ")}, assigned ${assigned.join(" ")}`);
  const keys = live.flatMap(({ engine }) => engine.listRunning()).toSorted();
  const web = Array.from({ length: count }, (_, index) => `web/${index + 1}`);
  const all = count === 0 ? [] : [SINGLETON_KEY, ...web];
  if (keys.join(" ") !== all.join(" "))
    faults.push(`runs ${keys.join(" ")}, wanted ${all.join(" ")}`);
  return faults;
}

/** Acts on engines that no decision was kept for, in words. */
export async function listUndecided(hosts: readonly SimHost[]): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const { id, engine, findDecision } of hosts)
    for (const { act, decision } of engine.writes)
      if ((await findDecision(decision)) === undefined)
        faults.push(`${id} did ${act} without a decision`);
  return faults;
}
