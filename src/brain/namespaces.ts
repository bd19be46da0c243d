// SPDX-License-Identifier: Apache-2.0
// Namespaces that one container shares with another: they end with their holder.
import type { InstanceFact } from "#model/facts.ts";
import type { ServiceIntent, SharedNamespace } from "#model/intent.ts";
import type { Ground } from "./ground.ts";

/** Where containers are looked up: the facts of a pass, or a simulated world. */
export type Places = Pick<Ground, "slotsOf" | "findInstance">;

/** The containers that a shared namespace can mean now, the best first. */
function listHolders(
  places: Places,
  shared: SharedNamespace,
  slot: number,
): readonly InstanceFact[] {
  if (shared.kind === "container") {
    const found = places.findInstance(shared.container);
    return found === undefined ? [] : [found];
  }
  const slots = places.slotsOf(shared.service);
  return slots.get(slot) ?? slots.get(1) ?? [];
}

/** The container that a shared namespace means now, or undefined while there is none. */
export function resolveShared(
  places: Places,
  shared: SharedNamespace,
  slot: number,
): InstanceFact | undefined {
  const holders = listHolders(places, shared, slot);
  return holders.find((instance) => instance.state === "running") ?? holders[0];
}

/** Why an instance has to leave the namespace that it has joined; `what` is a sentence for people. */
export type NamespaceFault =
  | { readonly kind: "gone"; readonly what: string }
  | { readonly kind: "renewed"; readonly what: string };

/**
 * gone: the container whose namespace `instance` shares was replaced, so it has to be made anew.
 * renewed: that container was restarted, so its namespace is a new one and `instance` has to be restarted.
 * While old and new holder both run, whoever has joined one of them stays.
 */
export function findNamespaceFault(
  places: Places,
  service: ServiceIntent,
  instance: InstanceFact,
): NamespaceFault | undefined {
  const { network } = service;
  const shares: [string, SharedNamespace | undefined, string | undefined][] = [
    [
      "network",
      network.kind === "service" || network.kind === "container" ? network : undefined,
      instance.networkFrom,
    ],
    ["pid", service.pid, instance.pidFrom],
    ["ipc", service.ipc, instance.ipcFrom],
  ];
  for (const [namespace, shared, joined] of shares) {
    if (shared === undefined) continue;
    const holders = listHolders(places, shared, instance.slot);
    const running = holders.filter((holder) => holder.state === "running");
    const holder =
      running.find((candidate) => candidate.id === joined || candidate.name === joined) ??
      running[0];
    if (holder === undefined) continue;
    if (joined !== undefined && joined !== holder.id && joined !== holder.name) {
      return {
        kind: "gone",
        what: `${holder.name} was replaced and its ${namespace} namespace with it`,
      };
    }
    if (instance.state === "running" && holder.startedAtMs > instance.startedAtMs) {
      return {
        kind: "renewed",
        what: `${holder.name} was restarted and has a new ${namespace} namespace`,
      };
    }
  }
  return undefined;
}
