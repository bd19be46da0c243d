// SPDX-License-Identifier: Apache-2.0
import type { Plan } from "@fairlead/protocol/decision.ts";
import type { ActionRequest } from "@fairlead/protocol/requests.ts";
import type { Context } from "./context.ts";

/** Asks the node to act on services of a scope; returns the plan of it. */
export function sendAction(context: Context, scope: string, request: ActionRequest): Promise<Plan> {
  const path = `scopes/${encodeURIComponent(scope)}/actions`;
  return context.api.call<Plan>("POST", path, { body: request });
}

/** `--reason` as a field, or nothing. */
export function readReason(context: Context): { reason?: string } {
  const reason = context.parsed.text("reason");
  return reason === undefined ? {} : { reason };
}

/** `all services of shop`, `web, worker of shop`. */
export function nameServices(context: Context, scope: string): string {
  const { arguments: names } = context.parsed;
  return `${names.length === 0 ? "all services" : names.join(", ")} of ${scope}`;
}
