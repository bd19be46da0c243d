// SPDX-License-Identifier: Apache-2.0
// How a scope stands on the whole fleet, out of how it stands on each node.
import type { PlacedSlot } from "@fairlead/protocol/assignment.ts";
import type {
  InstanceView,
  ScopeView,
  ServiceState,
  ServiceView,
} from "@fairlead/protocol/views.ts";
import { listDependencies } from "#brain/dependencies.ts";
import type { Elsewhere, ElsewhereBook } from "#brain/pass.ts";
import type { ServiceIntent } from "#model/intent.ts";
import type { FleetNode, FleetScope } from "./picture.ts";

type Nodes = ReadonlyMap<string, FleetNode>;

interface Share {
  readonly node: string;
  readonly view: ServiceView;
}

interface Standing {
  readonly state: ServiceState;
  readonly reason: string;
}

/** The first that is found says how the whole stands. */
const WORST_FIRST: readonly ServiceState[] = [
  "quarantined",
  "degraded",
  "healing",
  "removing",
  "waiting",
  "updating",
  "starting",
  "paused",
  "stopped",
  "unknown",
  "ok",
  "completed",
];

function nameOf(nodes: Nodes, id: string): string {
  return nodes.get(id)?.name ?? id;
}

/** Nodes on which slots of a service stand that are not there. */
function listLost(scope: FleetScope, nodes: Nodes, service: string): readonly string[] {
  const placed = scope.assignment?.services[service] ?? [];
  const ids = new Set(placed.map(({ node }) => node));
  return [...ids].filter((id) => (nodes.get(id)?.standing ?? "gone") === "gone");
}

function judge(
  scope: FleetScope,
  nodes: Nodes,
  service: ServiceIntent,
  shares: readonly Share[],
): Standing {
  if (scope.wanted.removal !== undefined)
    return { state: "removing", reason: "down was asked for" };
  if (service.replicas === 0) return { state: "stopped", reason: "0 replicas are wanted" };
  const missing = scope.assignment?.missing.find((one) => one.service === service.name);
  if (missing !== undefined) return { state: "degraded", reason: missing.why };
  const lost = listLost(scope, nodes, service.name).map((id) => nameOf(nodes, id));
  if (lost.length > 0) return { state: "degraded", reason: `its node is gone: ${lost.join(", ")}` };
  const wanted = shares.filter(({ view }) => view.wanted > 0);
  const worst = WORST_FIRST.flatMap(
    (state) => wanted.find(({ view }) => view.state === state) ?? [],
  );
  const [first] = worst;
  if (first === undefined) return { state: "starting", reason: "waits for a node" };
  const { state, reason } = first.view;
  return {
    state,
    reason: reason === "" || wanted.length < 2 ? reason : `${first.node}: ${reason}`,
  };
}

function mergeService(
  scope: FleetScope,
  nodes: Nodes,
  service: ServiceIntent,
  shares: readonly Share[],
): ServiceView {
  const sum = (countOf: (view: ServiceView) => number): number =>
    shares.reduce((total, { view }) => total + countOf(view), 0);
  const most = (countOf: (view: ServiceView) => number): number =>
    Math.max(0, ...shares.map(({ view }) => countOf(view)));
  const paused = shares.flatMap(({ view }) => view.pausedUntilMs ?? []);
  return {
    scope: scope.wanted.intent.scope,
    name: service.name,
    mode: "manage",
    ...judge(scope, nodes, service, shares),
    image: service.container.Image,
    wanted: service.placement.everywhere ? sum((view) => view.wanted) : service.replicas,
    running: sum((view) => view.running),
    healthy: sum((view) => view.healthy),
    current: sum((view) => view.current),
    ports: shares.flatMap(({ view }) => view.ports),
    dependsOn: listDependencies(service).map((dependency) => dependency.service),
    heal: shares[0]?.view.heal ?? service.heal.ladder,
    healUsed: most((view) => view.healUsed),
    healMax: service.heal.actsMax,
    ...(paused[0] === undefined ? {} : { pausedUntilMs: paused[0] }),
    at: service.at,
    warnings: shares[0]?.view.warnings ?? [],
    instances: shares
      .flatMap(({ node, view }) =>
        view.instances.map((one) => (nodes.size > 1 ? { ...one, node } : one)),
      )
      .sort((a, b) => a.slot - b.slot || ((a.node ?? "") < (b.node ?? "") ? -1 : 1)),
  };
}

function isSettled({ assignment, generation, reports, wanted }: FleetScope, nodes: Nodes): boolean {
  if (wanted.removal !== undefined || assignment?.generation !== generation) return false;
  const placed = Object.values(assignment.services).flat();
  const isMoving = placed.some(({ from = [] }) =>
    from.some((id) => nodes.get(id)?.standing === "up"),
  );
  if (isMoving || assignment.missing.length > 0) return false;
  return [...new Set(placed.map(({ node }) => node))].every((id) => {
    const report = reports.get(id);
    return report?.generation === generation && report.view?.settled === true;
  });
}

/** The scope as one, with the node of each instance. */
export function mergeViews(scope: FleetScope, nodes: Nodes): ScopeView {
  const { intent, removal } = scope.wanted;
  const shares = Map.groupBy(
    [...scope.reports].flatMap(([id, { view }]) =>
      // What one has left behind that is none of the fleet's any more is not shown.
      nodes.has(id)
        ? (view?.services ?? []).map((service): Share => ({
            node: nameOf(nodes, id),
            view: service,
          }))
        : [],
    ),
    ({ view }) => view.name,
  );
  return {
    scope: intent.scope,
    mode: "manage",
    settled: isSettled(scope, nodes),
    removing: removal !== undefined,
    services: intent.services.map((service) =>
      mergeService(scope, nodes, service, shares.get(service.name) ?? []),
    ),
    files: intent.files,
  };
}

/** Instances of a service that other nodes say they have, by `slot@node`. */
function listElsewhere(
  { reports }: FleetScope,
  self: string,
  service: string,
): ReadonlyMap<string, InstanceView> {
  const found = new Map<string, InstanceView>();
  for (const [node, { view }] of reports) {
    const own = node === self ? undefined : view?.services.find(({ name }) => name === service);
    for (const one of own?.instances ?? []) {
      const key = `${one.slot}@${node}`;
      if (!found.has(key)) found.set(key, one);
    }
  }
  return found;
}

function countService(
  scope: FleetScope,
  self: string,
  service: string,
  placed: readonly PlacedSlot[],
): Elsewhere {
  const own = listElsewhere(scope, self, service);
  const sum = { wanted: 0, started: 0, healthy: 0, completed: 0 };
  for (const { slot, node } of placed) {
    if (node === self) continue;
    sum.wanted++;
    const one = own.get(`${slot}@${node}`);
    const isRunning = one?.state === "running";
    const isCompleted = one?.state === "exited" && one.exitCode === 0;
    if (isRunning || isCompleted) sum.started++;
    if (isRunning && one.health === "healthy") sum.healthy++;
    if (isCompleted) sum.completed++;
  }
  return sum;
}

/**
 * What other nodes than `self` are to have of each service, and have by what they say. Counted when it is asked for: of most
 * services nobody wants to know.
 */
export function countElsewhere(scope: FleetScope, self: string): ElsewhereBook {
  const services = scope.assignment?.services ?? {};
  const counted = new Map<string, Elsewhere>();
  return {
    get(service) {
      const placed = Object.hasOwn(services, service) ? services[service] : undefined;
      const known = counted.get(service);
      if (known !== undefined || placed === undefined) return known;
      const sum = countService(scope, self, service, placed);
      counted.set(service, sum);
      return sum;
    },
  };
}
