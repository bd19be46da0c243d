// SPDX-License-Identifier: Apache-2.0
// How every scope stands, computed when asked for and at most ten times a second for those who watch.
import type { ScopeView, ServiceView } from "@fairlead/protocol/views.ts";
import type { Clock } from "#base/clock.ts";
import { assessScope, observeScope } from "#brain/assess.ts";
import type { ServiceAddresses } from "./addresses/service-addresses.ts";
import type { EventFeed } from "./event-feed.ts";
import type { FactsBoard } from "./facts-board.ts";
import type { Farewells } from "./farewells.ts";
import type { FleetDesk } from "./fleet/fleet-desk.ts";
import type { PolicyLoop } from "./policies/create-policies.ts";
import type { ScopeLoop } from "./scope-loop.ts";
import type { Supervisor } from "./supervisor.ts";

const PUBLISH_INTERVAL_MS = 100;

export interface ScopeViews {
  /** On all nodes of the fleet, where it is a fleet's. */
  read(scope: string): ScopeView | undefined;
  /** On this node. */
  readLocal(scope: string): ScopeView | undefined;
  list(): readonly ScopeView[];
  /** Publishes the services of the scope that stand differently than before, soon. */
  publishSoon(scope: string): void;
}

/** What has to differ for a service to be told again. */
function fingerprint(view: ServiceView): string {
  const instances = view.instances.map((i) => `${i.id} ${i.state} ${i.health} ${i.name}`).join();
  return `${view.state} ${view.reason} ${view.wanted} ${view.running} ${view.healthy} ${view.current} ${instances}`;
}

function viewLoop(loop: ScopeLoop, ready: boolean): ScopeView {
  const { desired, input, last } = loop;
  const removing = desired.removal !== undefined;
  const view = assessScope({ ...input, reconciliation: last, removing });
  return { ...view, settled: view.settled && loop.looked && ready };
}

/** Without the id in front, where it is said by name. */
function cut(id: string, why: string): string {
  const own = `${id.slice(0, 12)}: `;
  return why.startsWith(own) ? why.slice(own.length) : why;
}

/** What views tell of besides, where a node has it. */
export interface ScopeViewParts {
  readonly fleet?: Pick<FleetDesk, "view" | "names" | "wanted" | "isWhole"> | undefined;
  readonly addresses?: Pick<ServiceAddresses, "find">;
  readonly farewells?: Pick<Farewells, "has">;
  readonly policies?: Pick<PolicyLoop, "problemOf">;
}

/** Views over the supervisor's loops and the board. */
export function createScopeViews(
  supervisor: Supervisor,
  board: FactsBoard,
  feed: EventFeed,
  clock: Clock,
  more: ScopeViewParts = {},
): ScopeViews {
  const { fleet, addresses, farewells, policies } = more;
  const told = new Map<string, string>();
  const due = new Set<string>();
  let timer: Promise<void> | undefined;

  function observed(): Map<string, ScopeView> {
    const groups = Map.groupBy(
      board
        .read()
        .instances.filter((i) => i.scope !== "" && supervisor.loop(i.scope) === undefined),
      (instance) => instance.scope,
    );
    return new Map(
      [...groups].map(([scope, instances]) => [scope, observeScope(scope, instances)]),
    );
  }

  /** Says of instances that are about to be stopped that they are. */
  function markLeaving(view: ScopeView): ScopeView {
    const isLeaving = ({ id }: { readonly id: string }): boolean => farewells?.has(id) === true;
    if (!view.services.some(({ instances }) => instances.some(isLeaving))) return view;
    const services = view.services.map((service) => ({
      ...service,
      instances: service.instances.map((one) =>
        isLeaving(one) ? { ...one, leaving: true as const } : one,
      ),
    }));
    return { ...view, services };
  }

  function withAddresses(view: ScopeView): ScopeView {
    const services = view.services.map((service) => {
      const own = addresses?.find(service.scope, service.name) ?? [];
      return own.length === 0 ? service : { ...service, addresses: [...own] };
    });
    return { ...view, services };
  }

  /** Says of a service that its policies do not hold as they should. */
  function markTrouble(view: ScopeView): ScopeView {
    const mark = (service: ServiceView): ServiceView => {
      if (service.state !== "ok") return service;
      for (const { id, name } of service.instances) {
        const why = policies?.problemOf(id);
        if (why !== undefined)
          return { ...service, state: "degraded", reason: `policy of ${name}: ${cut(id, why)}` };
      }
      return service;
    };
    return { ...view, services: view.services.map(mark) };
  }

  function readLocal(scope: string): ScopeView | undefined {
    const loop = supervisor.loop(scope);
    const view = loop === undefined ? observed().get(scope) : viewLoop(loop, board.ready);
    if (view === undefined) return undefined;
    return markTrouble(loop === undefined ? view : markLeaving(view));
  }

  function read(scope: string): ScopeView | undefined {
    const local = readLocal(scope);
    const view = fleet?.view(scope, local) ?? local;
    return view === undefined ? undefined : withAddresses(view);
  }

  function list(): readonly ScopeView[] {
    const local = [
      ...[...supervisor.loops.values()].map((loop) => viewLoop(loop, board.ready)),
      ...observed().values(),
    ].map(markTrouble);
    const here = new Set(local.map(({ scope }) => scope));
    return [
      ...local.map((view) => fleet?.view(view.scope, view) ?? view),
      ...(fleet?.names() ?? [])
        .filter((name) => !here.has(name))
        .flatMap((name) => fleet?.view(name, undefined) ?? []),
    ].map(withAddresses);
  }

  function publish(scope: string): void {
    // Of a fleet's scope a part would be told for the whole; nobody reads events without having that known.
    if (fleet?.isWhole === false && fleet.wanted(scope) !== undefined) return;
    const view = read(scope);
    for (const service of view?.services ?? []) {
      const key = `${scope}/${service.name}`;
      const print = fingerprint(service);
      if (told.get(key) === print) continue;
      told.set(key, print);
      feed.publish({ kind: "service", atMs: clock.nowMs(), service });
    }
    if (view === undefined)
      for (const key of told.keys()) if (key.startsWith(`${scope}/`)) told.delete(key);
  }

  return {
    read,
    readLocal,
    list,
    publishSoon(scope) {
      due.add(scope);
      timer ??= clock.sleep(PUBLISH_INTERVAL_MS).then(() => {
        timer = undefined;
        const scopes = [...due];
        due.clear();
        for (const name of scopes) publish(name);
      });
    },
  };
}
