// SPDX-License-Identifier: Apache-2.0
import type { Routes } from "@fairlead/protocol/fabric.ts";
import { FabricError } from "./errors.ts";

/** The refusal of what has no link in the topology. */
export function refuseLink(from: string, to: string, neighbours: readonly string[]): FabricError {
  return new FabricError("permission_denied", `the topology has no link from ${from} to ${to}`, {
    reason: "no-link",
    facts: { "links to": neighbours.slice(0, 20).join(", ") || "nobody" },
  });
}

/** Throws `permission_denied` when both are members of a topology and no link leads from one to the other. */
export function checkLink(routes: Routes | undefined, from: string, to: string): void {
  if (routes === undefined || from === to || !routes.members.includes(to)) return;
  if (!routes.to.includes(to)) throw refuseLink(from, to, routes.to);
}
