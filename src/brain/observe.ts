// SPDX-License-Identifier: Apache-2.0
// Scopes that Fairlead does not manage: what it would do, and why it does not.
import type { PlannedAction } from "#model/action.ts";
import type { InstanceFact } from "#model/facts.ts";
import { describeExit } from "./diagnosis.ts";

/** Acts that a managed scope would see. The key changes with every new failure, so that each is told once. */
export function planObserved(
  instances: readonly InstanceFact[],
  managed: { has(scope: string): boolean },
  nowMs: number,
): readonly PlannedAction[] {
  const others = instances.filter(({ scope, oneoff }) => !oneoff && !managed.has(scope));
  return others.flatMap((instance): PlannedAction[] => {
    const unhealthy = instance.state === "running" && instance.health === "unhealthy";
    const failed =
      instance.state === "exited" && instance.startedAtMs > 0 && instance.exitCode !== 0;
    if (!unhealthy && !failed) return [];
    const detail = unhealthy ? "health check failed" : describeExit(instance);
    const scope =
      instance.scope === ""
        ? "it belongs to no scope"
        : `scope ${instance.scope} is observed, not managed`;
    return [
      {
        key: `observe/${instance.id}/${instance.startedAtMs}/${unhealthy}`,
        act: unhealthy ? "instance.restart" : "instance.start",
        ...(instance.service === "" ? {} : { service: instance.service }),
        object: instance.name,
        target: instance.id,
        title: `would restart ${instance.name}`,
        trigger: {
          kind: unhealthy ? "unhealthy" : instance.oomKilled ? "oom" : "exit",
          detail,
          atMs: unhealthy ? nowMs : instance.finishedAtMs,
        },
        rule: { text: "observe mode" },
        inputs: {
          exitCode: instance.exitCode,
          health: instance.health,
          engineRestart: instance.engineRestart,
        },
        notDone: [
          { what: `restart ${instance.name}`, why: `${scope}; fairlead up -f FILE takes it over` },
        ],
      },
    ];
  });
}
