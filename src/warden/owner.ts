// SPDX-License-Identifier: Apache-2.0
// Whose a container is stands in a label that only this room writes. The agent's names are names within its own: `tool` is
// `shop.researcher.tool` to the engine, so that no agent takes another's name, or one that others resolve.
import type { DockerLimits } from "#model/docker-limits.ts";
import { COMPOSE_LABELS, OWN_LABELS } from "#model/facts.ts";
import type { DockerOwner } from "./warden.ts";

/** Labels that belong to Fairlead and Compose; no agent writes them. */
export const RESERVED_LABEL = /^(io\.fairlead|fairlead|com\.docker)(\.|$)/i;

/** Value of the label by which containers are the agent's. */
export function nameOwner({ scope, service }: DockerOwner): string {
  return `${scope}/${service}`;
}

/** What stands before the agent's names. */
export function namePrefix({ scope, service }: DockerOwner): string {
  return `${scope}.${service}.`;
}

/** Whether a container with these labels is the agent's. */
export function isOwned(labels: unknown, owner: DockerOwner): boolean {
  if (typeof labels !== "object" || labels === null) return false;
  return new Map(Object.entries(labels)).get(OWN_LABELS.agent) === nameOwner(owner);
}

/** The labels of a container that the agent makes. It is reaped by `fairlead.ttl`, or when the agent is gone. */
export function makeOwnerLabels(owner: DockerOwner, limits: DockerLimits): Record<string, string> {
  return {
    [OWN_LABELS.agent]: nameOwner(owner),
    [COMPOSE_LABELS.project]: owner.scope,
    [COMPOSE_LABELS.oneoff]: "True",
    "fairlead.owner": owner.service,
    "fairlead.manage": "true",
    "fairlead.ttl": `${Math.ceil(limits.ttlMs / 1_000)}s`,
  };
}
