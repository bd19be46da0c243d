// SPDX-License-Identifier: Apache-2.0
// A packet from inside of an instance: a process of ours enters its network and calls.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Guard, Place, ProbeOutcome, Question } from "#guard/guard.ts";
import { openNamespace } from "./open-namespace.ts";

const CHILD = fileURLToPath(new URL("probe-child.ts", import.meta.url));
/** The child's own patience is a second; a loaded host takes long to start it. */
const PATIENCE_MS = 10_000;

/** What the child saw: `connected`, `refused`, `silence`, `sent`, or the system's word for what went wrong. */
async function callFrom(
  place: Place,
  { address, protocol, port }: Omit<Question, "direction">,
  signal: AbortSignal | undefined,
): Promise<string> {
  await using namespace = await openNamespace(place);
  const args = [
    `--net=${namespace.path}`,
    process.execPath,
    CHILD,
    protocol,
    address,
    String(port),
  ];
  // Awaited here: the namespace is open only until this returns.
  return await new Promise<string>((resolve, reject) => {
    const child = spawn("nsenter", args, {
      stdio: ["ignore", "pipe", "ignore"],
      timeout: PATIENCE_MS,
      ...(signal === undefined ? {} : { signal }),
    });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.on("error", reject);
    child.on("close", () => resolve(said.trim()));
  });
}

const countPackets = (count: number): string =>
  count === 1 ? "1 packet was" : `${count} packets were`;

/** What that says about policy; `counted` is how many packets were denied meanwhile on either side. */
function judgeProbe(said: string, counted: number): ProbeOutcome {
  switch (said) {
    case "connected":
      return { verdict: "allow", detail: "connected" };
    case "refused":
      return { verdict: "allow", detail: "arrived; nothing listens on that port" };
    case "silence":
      return counted > 0
        ? { verdict: "deny", detail: `no reply, and ${countPackets(counted)} counted as denied` }
        : { verdict: "deny", detail: "no reply" };
    case "sent":
      return counted > 0
        ? { verdict: "deny", detail: `${countPackets(counted)} counted as denied` }
        : { verdict: "allow", detail: "sent, and not denied on this host" };
    default:
      return { verdict: "unknown", detail: said === "" ? "nothing could be sent" : said };
  }
}

/** How many packets instances have been denied, or denied, so far. */
async function countDenied(
  inspect: Guard["inspect"],
  places: readonly (Place | undefined)[],
): Promise<number> {
  let sum = 0;
  for (const place of places) {
    const installed = place === undefined ? undefined : await inspect(place);
    sum += (installed?.denied.ingress ?? 0) + (installed?.denied.egress ?? 0);
  }
  return sum;
}

/** A probe by which is judged what is counted as denied on both sides. */
export function createProbe(inspect: Guard["inspect"]): Guard["probe"] {
  return async (from, to, target, { signal } = {}) => {
    const before = await countDenied(inspect, [from, target]);
    const said = await callFrom(from, to, signal);
    return judgeProbe(said, (await countDenied(inspect, [from, target])) - before);
  };
}
