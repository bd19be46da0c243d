// SPDX-License-Identifier: Apache-2.0
// Automation that a person stops for a time, and lets go on. Nothing of the engine changes by it.
import { formatDuration } from "#base/duration.ts";
import type { PlannedAction } from "#model/action.ts";
import type { ServiceIntent } from "#model/intent.ts";
import { EMPTY_SERVICE_MEMORY, type ServiceMemory } from "#model/memory.ts";
import { findPauseEnd, type ReconcileInput } from "./pass.ts";

/** What is to be done with the automation of services; `forMs` absent: until it is resumed. */
export type PauseRequest =
  | { readonly kind: "pause"; readonly forMs?: number }
  | { readonly kind: "resume" };

/** Until when a pause that begins at `nowMs` lasts. */
function endOf(request: { readonly forMs?: number }, nowMs: number): number {
  return request.forMs === undefined ? Number.MAX_SAFE_INTEGER : nowMs + request.forMs;
}

/** How a pause changes the memory of a service. */
export function rememberPause(
  request: PauseRequest,
  nowMs: number,
): (memory: ServiceMemory) => ServiceMemory {
  if (request.kind === "resume") return ({ pausedUntilMs: _paused, ...memory }) => memory;
  const pausedUntilMs = endOf(request, nowMs);
  return (memory) => ({ ...memory, pausedUntilMs });
}

function describeTime(request: PauseRequest): string {
  if (request.kind === "resume") return "";
  return request.forMs === undefined ? "until resumed" : `for ${formatDuration(request.forMs)}`;
}

function toAction(
  request: PauseRequest,
  service: Pick<ServiceIntent, "name">,
  nowMs: number,
): PlannedAction {
  const { name } = service;
  const time = describeTime(request);
  const pauses = request.kind === "pause";
  return {
    key: `${request.kind}/${name}`,
    act: pauses ? "service.pause" : "service.resume",
    service: name,
    object: name,
    title: `${pauses ? "paused" : "resumed"} automation of ${name}`,
    trigger: {
      kind: "person",
      detail: pauses ? `automation is to rest ${time}` : "automation is to go on",
      atMs: nowMs,
    },
    rule: { text: [request.kind, time].filter((word) => word !== "").join(" ") },
    inputs: {},
    notDone: pauses
      ? [{ what: `heal or change ${name}`, why: "a person has paused its automation" }]
      : [],
  };
}

/** One act a service; none for what is to be resumed and is not paused. */
export function planPause(
  input: ReconcileInput,
  names: readonly string[],
  request: PauseRequest,
): readonly PlannedAction[] {
  const { intent, memory, nowMs } = input;
  return intent.services
    .filter(({ name }) => names.includes(name))
    .filter(
      ({ name }) =>
        request.kind === "pause" ||
        findPauseEnd(memory.get(name) ?? EMPTY_SERVICE_MEMORY, nowMs) !== undefined,
    )
    .map((service) => toAction(request, service, nowMs));
}
