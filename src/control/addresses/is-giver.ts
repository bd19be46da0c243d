// SPDX-License-Identifier: Apache-2.0
// Which node of a fleet gives a service its address and takes it back, so that one decision says so. Pure.
import type { FleetPicture } from "#brain/fleet/picture.ts";

/**
 * Whether it is this node's to do: of those that have the service, else of all, the first that is up. Another may do it where
 * that one is late.
 */
export function isGiver(
  key: string,
  fleet: { readonly self: string; readonly picture: FleetPicture } | undefined,
): boolean {
  if (fleet === undefined) return true;
  const { self, picture } = fleet;
  const at = key.indexOf("/");
  const services = picture.scopes.get(key.slice(0, at))?.assignment?.services ?? {};
  const holders = (services[key.slice(at + 1)] ?? []).map(({ node }) => node);
  const ids = holders.length > 0 ? holders : [...picture.nodes.keys()];
  const up = ids.filter((id) => picture.nodes.get(id)?.standing === "up").toSorted();
  return up[0] === undefined || up[0] === self;
}
