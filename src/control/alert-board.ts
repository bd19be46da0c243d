// SPDX-License-Identifier: Apache-2.0
// What a person should look at now. Alerts follow from the state and end with it.
import type { Alert } from "@fairlead/protocol/views.ts";
import type { Clock, Random } from "#base/clock.ts";
import { createId } from "#base/ids.ts";
import type { ReconcileInput } from "#brain/pass.ts";
import type { Reconciliation } from "#model/action.ts";
import type { Decision } from "#model/decision.ts";

export interface AlertBoard {
  /** Brings the alerts of a scope in line with what its loop waits for. */
  settle(scope: string, input: ReconcileInput, last: Reconciliation): void;
  /** Notes which decision an alert came with. */
  note(decision: Decision): void;
  /** Raises or ends an alert that belongs to no scope. */
  set(name: string, message: string | undefined): void;
  /** Ends everything of a scope. */
  clear(scope: string): void;
  list(): readonly Alert[];
  onAlert(listener: (alert: Alert, resolved: boolean) => void): void;
}

/** Makes an empty board. */
export function createAlertBoard(clock: Clock, random: Random): AlertBoard {
  const alerts = new Map<string, Alert>();
  const decisionOf = new Map<string, string>();
  const listeners: ((alert: Alert, resolved: boolean) => void)[] = [];
  const tell = (alert: Alert, resolved: boolean): void => {
    for (const listener of listeners) listener(alert, resolved);
  };
  function raise(key: string, parts: Omit<Alert, "id" | "sinceMs">): void {
    const known = alerts.get(key);
    if (known?.message === parts.message) return;
    const sinceMs = known?.sinceMs ?? clock.nowMs();
    const alert = { id: known?.id ?? createId("alt", sinceMs, random), sinceMs, ...parts };
    alerts.set(key, alert);
    if (known === undefined) tell(alert, false);
  }
  function end(key: string): void {
    const alert = alerts.get(key);
    if (alert === undefined) return;
    alerts.delete(key);
    tell(alert, true);
  }
  return {
    settle(scope, input, last) {
      const wanted = new Map<string, Omit<Alert, "id" | "sinceMs">>();
      for (const { kind, service, reason } of last.waiting) {
        if (kind !== "quarantined" && kind !== "failed") continue;
        const memory = input.memory.get(service);
        const rollout = memory?.rolloutFailed !== undefined && kind === "failed";
        const name = kind === "quarantined" ? "HealGaveUp" : rollout ? "RolloutFailed" : "Failing";
        const decision = decisionOf.get(`${scope}/${service}`);
        const message = service === "" ? reason : `${service}: ${reason}`;
        wanted.set(`${scope}/${service}/${name}`, {
          scope,
          service,
          name,
          message,
          ...(decision === undefined ? {} : { decision }),
        });
      }
      for (const [key, parts] of wanted) raise(key, parts);
      for (const key of alerts.keys())
        if (key.startsWith(`${scope}/`) && !wanted.has(key)) end(key);
    },
    note(decision) {
      if (decision.service !== undefined)
        decisionOf.set(`${decision.scope}/${decision.service}`, decision.id);
    },
    set(name, message) {
      if (message === undefined) end(`/${name}`);
      else raise(`/${name}`, { scope: "", name, message });
    },
    clear(scope) {
      for (const key of alerts.keys()) if (key.startsWith(`${scope}/`)) end(key);
    },
    list: () => [...alerts.values()],
    onAlert: (listener) => void listeners.push(listener),
  };
}
