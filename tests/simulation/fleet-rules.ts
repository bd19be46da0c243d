// SPDX-License-Identifier: Apache-2.0
// What the simulated fleet runs, and the rules of it: one leader's writes count, a singleton runs once, and in peace
// everything wanted runs where it was assigned, and nothing else.
import { Assignment } from "@fairlead/protocol/assignment.ts";
import { buildIntent, buildService, SCOPE } from "#brain/testing/builders.ts";
import type { Intent } from "#model/intent.ts";
import type { Store } from "#store/store.ts";
import type { SimHost } from "./sim-host.ts";

export { SCOPE };

const ASSIGNMENT = `assignments/${SCOPE}`;
const SINGLETON = "one/1";
/** How long a host that stood still has for stopping what it may not run any more. */
const WAKING_MS = 2_000;

/** `web` in so many instances, and `one` once. */
export function describeIntent(replicas: number): Intent {
  return buildIntent([
    buildService({ name: "web", replicas }),
    buildService({ name: "one", singleton: true, stopGraceMs: 1_000 }),
  ]);
}

/** The store, where each assignment has to carry the fence of whoever leads at that moment, and none an older one. */
export function watchFences(store: Store, report: (violation: string) => void): Store {
  let newest = 0;
  return {
    ...store,
    async transact(operations, conditions, options) {
      const leader = await store.get("leader");
      const revision = await store.transact(operations, conditions, options);
      for (const operation of revision === undefined ? [] : operations) {
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

/** Hosts on which the singleton runs at once, when there is more than one; a host that stands still runs nothing. */
export function listDoubles(hosts: readonly SimHost[], nowMs: number): readonly string[] {
  const at = hosts.filter(
    ({ node }) =>
      node?.services?.running.has(SINGLETON) === true &&
      nowMs >= node.life.pausedUntilMs + (node.life.pausedUntilMs > 0 ? WAKING_MS : 0),
  );
  return at.length > 1 ? [`the singleton runs on ${at.map(({ id }) => id).join(" and ")}`] : [];
}

interface Placed {
  readonly store: Store;
  readonly hosts: readonly SimHost[];
  /** How many of `web`. */
  readonly wanted: number;
}

/** What does not run as it is wanted and assigned, in words. */
export async function listMisplaced({ store, hosts, wanted }: Placed): Promise<readonly string[]> {
  const live = hosts.flatMap(({ id, node }) =>
    node === undefined ? [] : [{ id, running: [...(node.services?.running ?? [])] }],
  );
  if (live.length === 0) return [];
  const parsed = Assignment.safeParse((await store.get(ASSIGNMENT))?.value);
  if (!parsed.success) return ["nothing is assigned"];
  const assigned = Object.entries(parsed.data.services).flatMap(([service, slots]) =>
    slots.flatMap(({ slot, node, from = [] }) =>
      [node, ...from].map((id) => `${service}/${slot}@${id}`),
    ),
  );
  const runs = live.flatMap(({ id, running }) => running.map((key) => `${key}@${id}`));
  const faults: string[] = [];
  if (runs.toSorted().join(" ") !== assigned.toSorted().join(" "))
    faults.push(`runs ${runs.toSorted().join(" ")}, assigned ${assigned.toSorted().join(" ")}`);
  const keys = live.flatMap(({ running }) => running).toSorted();
  const all = [SINGLETON, ...Array.from({ length: wanted }, (_, index) => `web/${index + 1}`)];
  if (keys.join(" ") !== all.join(" "))
    faults.push(`runs ${keys.join(" ")}, wanted ${all.join(" ")}`);
  return faults;
}
