// SPDX-License-Identifier: Apache-2.0
// What is wrong with one instance, and whether its owner wants it back.
import { formatDuration } from "#base/duration.ts";
import type { Trigger } from "#model/decision.ts";
import type { Facts, InstanceFact } from "#model/facts.ts";
import type { RestartIntent, ServiceIntent } from "#model/intent.ts";
import type { ServiceMemory } from "#model/memory.ts";

/** An engine that stops gives its containers 15 s; one that starts needs a moment to say what ended. */
const ENGINE_STOP_MS = 15_000;
const ENGINE_START_MS = 5_000;

/** A run this long counts as good: the failures before it are forgiven. */
export const GOOD_RUN_MS = 10_000;

/** What is wrong with one instance. Times are the engine's, in milliseconds since 1970. */
export type Diagnosis =
  /** Nothing to do: it runs and is not known to be ill, or the engine itself is acting on it. */
  | { readonly kind: "fine" }
  /** It ended and is not wanted back. */
  | { readonly kind: "rests"; readonly completed: boolean; readonly reason: string }
  /** It has never run, or ended with the engine: start it, nobody is to blame. */
  | { readonly kind: "start"; readonly trigger: Trigger }
  /** It failed: the ladder decides. */
  | { readonly kind: "failed"; readonly trigger: Trigger; readonly runMs: number };

function endedWithEngine(instance: InstanceFact, facts: Facts): boolean {
  const gap = facts.engineGap;
  return (
    gap !== undefined &&
    // What was started again since has ended by a fault of its own.
    instance.startedAtMs <= gap.toMs &&
    instance.finishedAtMs >= gap.fromMs - ENGINE_STOP_MS &&
    instance.finishedAtMs <= gap.toMs + ENGINE_START_MS
  );
}

const SIGNALS: Readonly<Record<number, string>> = {
  130: "interrupted, SIGINT",
  134: "aborted, SIGABRT",
  137: "killed, SIGKILL",
  139: "segmentation fault, SIGSEGV",
  143: "terminated, SIGTERM",
};

/** `ended with code 137 (killed, SIGKILL) after 3m20s`. */
export function describeExit(instance: InstanceFact): string {
  if (instance.startedAtMs === 0) return instance.error || "could not be started";
  const ranMs = Math.max(0, instance.finishedAtMs - instance.startedAtMs);
  const signal = SIGNALS[instance.exitCode];
  const memory = instance.oomKilled ? "ran out of memory and " : "";
  return (
    `${memory}ended with code ${instance.exitCode}` +
    `${signal === undefined ? "" : ` (${signal})`} after ${formatDuration(ranMs)}`
  );
}

function isEnded({ state }: InstanceFact): boolean {
  return state === "created" || state === "exited" || state === "dead";
}

/** True when a person stopped it and nobody has started it since. */
function isStoppedByHand(instance: InstanceFact, memory: ServiceMemory): boolean {
  const stoppedAtMs = memory.stoppedByHand[instance.id];
  return stoppedAtMs !== undefined && stoppedAtMs >= instance.startedAtMs;
}

/** Why an ended instance stays as it is, or undefined when it is wanted back. */
function findRest(
  instance: InstanceFact,
  restart: RestartIntent,
  memory: ServiceMemory,
): { completed: boolean; reason: string } | undefined {
  const good = instance.exitCode === 0 && !instance.oomKilled;
  const said = `${describeExit(instance)}; restart policy is ${restart.policy}`;
  switch (restart.policy) {
    case "no":
      return { completed: good, reason: said };
    case "default":
    case "on-failure":
      return good ? { completed: true, reason: said } : undefined;
    case "unless-stopped":
      return isStoppedByHand(instance, memory)
        ? { completed: false, reason: "stopped by hand; restart policy is unless-stopped" }
        : undefined;
    case "always":
      return undefined;
  }
}

function diagnoseEnded(
  instance: InstanceFact,
  service: ServiceIntent,
  memory: ServiceMemory,
  facts: Facts,
): Diagnosis {
  const { policy } = service.restart;
  const withEngine = endedWithEngine(instance, facts);
  const byHand = policy === "unless-stopped" && isStoppedByHand(instance, memory);
  if (withEngine && policy !== "no" && !byHand && instance.state !== "dead") {
    const detail = "ended when the engine stopped";
    return {
      kind: "start",
      trigger: { kind: "engine-restart", detail, atMs: instance.finishedAtMs },
    };
  }
  const rest = findRest(instance, service.restart, memory);
  if (rest !== undefined) return { kind: "rests", ...rest };
  return {
    kind: "failed",
    runMs: Math.max(0, instance.finishedAtMs - instance.startedAtMs),
    trigger: {
      kind: instance.oomKilled ? "oom" : "exit",
      detail: describeExit(instance),
      atMs: instance.finishedAtMs,
    },
  };
}

/** Judges one instance by the engine's facts alone. */
export function diagnose(
  instance: InstanceFact,
  service: ServiceIntent,
  memory: ServiceMemory,
  facts: Facts,
): Diagnosis {
  const rest = memory.resting?.[String(instance.slot)];
  if (rest !== undefined && isEnded(instance))
    return { kind: "rests", completed: false, reason: `stopped as ${rest.by} asked` };
  switch (instance.state) {
    case "paused":
    case "restarting":
    case "removing":
      return { kind: "fine" };
    case "running":
      if (instance.health !== "unhealthy") return { kind: "fine" };
      return {
        kind: "failed",
        runMs: Math.max(0, facts.asOfMs - instance.startedAtMs),
        trigger: { kind: "unhealthy", detail: "health check failed", atMs: facts.asOfMs },
      };
    case "created": {
      if (instance.error === "" && instance.exitCode === 0) {
        const detail = "was created and never started";
        return { kind: "start", trigger: { kind: "missing", detail, atMs: instance.createdAtMs } };
      }
      const detail = `could not be started: ${instance.error || `code ${instance.exitCode}`}`;
      return {
        kind: "failed",
        runMs: 0,
        trigger: { kind: "exit", detail, atMs: instance.createdAtMs },
      };
    }
    case "exited":
    case "dead":
      return diagnoseEnded(instance, service, memory, facts);
  }
}
