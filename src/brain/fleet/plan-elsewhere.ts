// SPDX-License-Identifier: Apache-2.0
// The steps of a plan that other nodes will take.
import type { PlannedStep } from "@fairlead/protocol/decision.ts";
import { nameInstance, shortName } from "#brain/naming.ts";
import type { ServiceIntent } from "#model/intent.ts";
import type { Draft } from "./assign-scopes.ts";
import type { FleetNode, FleetScope } from "./picture.ts";

/** What is known of one scope, now and as it would be. */
export interface ElsewhereParts {
  /** The scope as it is wanted now; undefined for one that is new. */
  readonly before: FleetScope | undefined;
  readonly next: FleetScope;
  readonly draft: Draft;
  /** Id of the node that plans: its own steps are planned by what it sees. */
  readonly self: string;
  readonly nodes: ReadonlyMap<string, FleetNode>;
}

/** As the node that makes it will say. */
function tellMissing({ replicas }: ServiceIntent, slot: number): string {
  return `there is no instance ${slot} of ${replicas}`;
}

/** What is made, changed and removed on other nodes, as far as it follows from what they are assigned. */
export function planElsewhere(parts: ElsewhereParts): readonly PlannedStep[] {
  const { before, next, draft, self, nodes } = parts;
  const { scope, services } = next.wanted.intent;
  const nameOf = (id: string): string => nodes.get(id)?.name ?? id;
  const former = (name: string): ServiceIntent | undefined =>
    before?.wanted.intent.services.find((one) => one.name === name);
  const steps: PlannedStep[] = [];

  function add(
    act: PlannedStep["act"],
    verb: string,
    service: ServiceIntent,
    at: { readonly slot: number; readonly node: string },
    because: string,
  ): void {
    if (at.node === self) return;
    const object = nameInstance(scope, service, at.slot);
    // What is there is called by its own name, what will be by what it is.
    const what = act === "instance.remove" ? object : shortName(service.name, at.slot);
    const title = `${verb} ${what} on ${nameOf(at.node)}`;
    const where = service.origins["replicas"] ?? service.at;
    steps.push({ act, service: service.name, object, title, because, at: where });
  }

  function tellSurplus(name: string): string {
    if (services.length === 0) return "down was asked for";
    const wanted = services.find((one) => one.name === name);
    return wanted === undefined ? "it is not wanted any more" : `${wanted.replicas} are wanted`;
  }

  for (const service of services) {
    const was = before?.assignment?.services[service.name] ?? [];
    const old = former(service.name);
    for (const placed of draft.services[service.name] ?? []) {
      const same = was.find(({ slot, node }) => slot === placed.slot && node === placed.node);
      if (same === undefined)
        add("instance.create", "created", service, placed, tellMissing(service, placed.slot));
      else if (old !== undefined && old.hash !== service.hash)
        add("instance.replace", "replaced", service, placed, "its configuration changes");
    }
  }
  for (const [name, was] of Object.entries(before?.assignment?.services ?? {})) {
    const service = former(name);
    const now = draft.services[name] ?? [];
    for (const placed of was)
      if (service !== undefined && !now.some(({ slot }) => slot === placed.slot))
        add("instance.remove", "removed", service, placed, tellSurplus(name));
  }
  return steps;
}
