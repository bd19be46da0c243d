// SPDX-License-Identifier: Apache-2.0
import { LinkSet } from "./links.ts";
import { electHub } from "./member.ts";
import type { Member } from "./member.ts";

/** Links of everybody with the hub. `hub` is undefined only without members. */
export function linkStar(
  members: readonly Member[],
  preferred: string | undefined,
  present?: string,
): { readonly links: LinkSet; readonly hub: string | undefined } {
  const links = new LinkSet(false);
  const hub = electHub(members, preferred, present);
  if (hub !== undefined) for (const { name } of members) links.add(hub, name);
  return { links, hub };
}
