// SPDX-License-Identifier: Apache-2.0
// Networks on which more is held than the rules of those whom policies select.
import { OWN_LABELS, type Facts, type InstanceFact, type NetworkFact } from "#model/facts.ts";
import type { NetworkPolicy, PolicyMode } from "#model/policy.ts";
import { nameBridge } from "#network/plan-overlay.ts";

/** What is held on networks of this host. */
export interface HeldNetworks {
  /** Names of networks with guarded instances, and the engine's bridges for them. */
  readonly gated: ReadonlyMap<string, string>;
  /** Names of networks that have no bridge on this host: whoever is there is held to his own addresses inside. */
  readonly bare: ReadonlySet<string>;
}

const BARE_DRIVERS = new Set(["macvlan", "ipvlan"]);

/** Names of networks without a bridge, on which nobody stands between two instances. */
function listBare(networks: readonly NetworkFact[]): ReadonlySet<string> {
  return new Set(networks.filter(({ driver }) => BARE_DRIVERS.has(driver)).map(({ name }) => name));
}

/** Whoever has a device on such a network. */
export function listOnBare({
  networks,
  instances,
}: Pick<Facts, "networks" | "instances">): readonly InstanceFact[] {
  const bare = listBare(networks);
  return instances.filter(({ endpoints = {} }) =>
    Object.keys(endpoints).some((name) => bare.has(name)),
  );
}

/** The device of a network, as the engine names it, or we do. */
function findBridge({ id, labels }: NetworkFact): string {
  const vni = labels[OWN_LABELS.overlay];
  return vni === undefined ? `br-${id.slice(0, 12)}` : nameBridge(Number(vni));
}

/**
 * Networks of scopes that policies are enforced in; the engine's default bridge is everybody's, and stays open. Networks without a
 * bridge are other hosts' too, so that anything that is enforced may be about somebody there.
 */
export function listHeldNetworks(
  policies: readonly NetworkPolicy[],
  {
    networks,
    instances,
    modeOf,
  }: Pick<Facts, "networks" | "instances"> & { readonly modeOf: (scope: string) => PolicyMode },
): HeldNetworks {
  const scopes = new Set(policies.map(({ scope }) => scope));
  const isEnforced = (scope: string): boolean => scopes.has(scope) && modeOf(scope) === "enforce";
  const used = new Set(
    instances.flatMap(({ scope, endpoints = {} }) =>
      isEnforced(scope) ? Object.keys(endpoints) : [],
    ),
  );
  const bridges = networks
    .filter(({ driver, name }) => driver === "bridge" && name !== "bridge")
    .filter(({ name, labels }) => used.has(name) || isEnforced(labels[OWN_LABELS.scope] ?? ""));
  return {
    gated: new Map(bridges.map((network) => [network.name, findBridge(network)])),
    bare: [...scopes].some(isEnforced) ? listBare(networks) : new Set(),
  };
}
