// SPDX-License-Identifier: Apache-2.0
// A person's request to renew what is there, and who still owes it.
import type { InstanceFact } from "#model/facts.ts";
import type { RenewalRequest } from "#model/memory.ts";
import { fillsSlot } from "./ground.ts";

/** A request, made at `nowMs`, about the containers that a service has now; `instances` may be those of all scopes. */
export function makeRequest(
  scope: string,
  service: string,
  instances: readonly InstanceFact[],
  nowMs: number,
): RenewalRequest {
  const meant = instances.filter((one) => fillsSlot(one, scope) && one.service === service);
  return {
    atMs: nowMs,
    startedAtMs: Object.fromEntries(meant.map((one) => [one.id, one.startedAtMs])),
  };
}

/** An agent's request to start one container anew, added to what is asked for already. */
export function addRequest(
  before: RenewalRequest | undefined,
  instance: InstanceFact,
  by: string,
  nowMs: number,
): RenewalRequest {
  const startedAtMs = { ...before?.startedAtMs, [instance.id]: instance.startedAtMs };
  return { atMs: nowMs, by, startedAtMs };
}

/** True while a container is one of those that are to be replaced. */
export function isToRecreate(request: RenewalRequest | undefined, instance: InstanceFact): boolean {
  return request?.startedAtMs[instance.id] !== undefined;
}

/** True while a container still is in the run that is to end, or has not been started since it was asked for. */
export function isToRestart(request: RenewalRequest | undefined, instance: InstanceFact): boolean {
  return request?.startedAtMs[instance.id] === instance.startedAtMs;
}

/** The request without those that have done as it says; undefined when none is left. */
export function tidyRequest(
  request: RenewalRequest | undefined,
  owes: (instance: InstanceFact) => boolean,
  instances: readonly InstanceFact[],
): RenewalRequest | undefined {
  if (request === undefined) return undefined;
  const left = instances.filter(owes);
  if (left.length === 0) return undefined;
  if (left.length === Object.keys(request.startedAtMs).length) return request;
  const startedAtMs = Object.fromEntries(
    left.map(({ id }) => [id, request.startedAtMs[id] ?? 0] as const),
  );
  return { ...request, startedAtMs };
}
