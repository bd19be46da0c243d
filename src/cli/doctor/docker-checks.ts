// SPDX-License-Identifier: Apache-2.0
import { formatDuration } from "#base/duration.ts";
import { doctorErrors } from "#cli/errors.ts";
import type { EngineFacts } from "./ask-engine.ts";
import { type Check, complain, type Finding, pass, skip } from "./check.ts";

const SKEW_MAX_MS = 1_000;

function withEngine(name: string, judge: (facts: EngineFacts) => Finding): Check {
  return {
    group: "docker",
    name,
    run: ({ engine }) =>
      engine.kind === "answered" ? judge(engine.facts) : skip(`${name}: no engine to ask`),
  };
}

const reach: Check = {
  group: "docker",
  name: "engine",
  run({ engine }) {
    if (engine.kind === "answered")
      return pass(`engine ${engine.facts.version} at ${engine.endpoint}`);
    const { because, endpoint } = engine;
    const silent = because.code === "unavailable" || because.code === "deadline_exceeded";
    const [kind, text] = silent
      ? [doctorErrors["engine-silent"], `no engine answers at ${endpoint}`]
      : [because.kind, `the engine${endpoint === "" ? "" : ` at ${endpoint}`} cannot be asked`];
    return complain("fail", kind, text, [because.message]);
  },
};

function judgeSkew({ skewMs, skewErrorMs }: EngineFacts): Finding {
  if (Math.abs(skewMs) - skewErrorMs <= SKEW_MAX_MS) return pass("clock");
  const side = skewMs > 0 ? "ahead" : "behind";
  const facts = [
    `the engine's clock is ${formatDuration(Math.abs(skewMs))} ${side}, ±${formatDuration(skewErrorMs)}`,
  ];
  return complain("warn", doctorErrors["clock-skew"], "clocks differ", facts);
}

/** Tests of the engine. */
export const DOCKER_CHECKS: readonly Check[] = [
  reach,
  withEngine("api", ({ apiVersion }) => pass(`API ${apiVersion}`)),
  withEngine("cgroup", ({ cgroupVersion }) =>
    cgroupVersion === "2"
      ? pass("cgroup v2")
      : complain("warn", doctorErrors["cgroup-old"], `cgroup v${cgroupVersion}`),
  ),
  withEngine("storage", ({ storageDriver }) =>
    ["vfs", "devicemapper"].includes(storageDriver)
      ? complain("warn", doctorErrors["storage-slow"], `storage driver ${storageDriver}`)
      : pass(storageDriver),
  ),
  withEngine("live-restore", ({ liveRestore, swarmActive }) =>
    liveRestore || swarmActive
      ? pass(liveRestore ? "live-restore on" : "live-restore not possible with Swarm")
      : complain("warn", doctorErrors["live-restore-off"], "live-restore is off"),
  ),
  withEngine("clock", judgeSkew),
  withEngine("warnings", ({ warnings }) =>
    warnings.length === 0
      ? pass("no warnings")
      : complain(
          "warn",
          doctorErrors["engine-warns"],
          `the engine has ${warnings.length} warnings`,
          warnings,
        ),
  ),
];
