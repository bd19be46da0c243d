// SPDX-License-Identifier: Apache-2.0
// A packet from inside of an instance: a process of ours enters its network and calls.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Place, ProbeOutcome, Question } from "#guard/guard.ts";
import { openNamespace } from "./open-namespace.ts";

const CHILD = fileURLToPath(new URL("probe-child.ts", import.meta.url));
/** The child's own patience is a second; a loaded host takes long to start it. */
const PATIENCE_MS = 10_000;

/** What the child saw: `connected`, `refused`, `silence`, `sent`, or the system's word for what went wrong. */
export async function callFrom(
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

/** What that says about policy; `counted` is how many packets were denied meanwhile on either side. */
export function judgeProbe(said: string, counted: number): ProbeOutcome {
  switch (said) {
    case "connected":
      return { verdict: "allow", detail: "connected" };
    case "refused":
      return { verdict: "allow", detail: "arrived; nothing listens on that port" };
    case "silence":
      return counted > 0
        ? { verdict: "deny", detail: `no reply, and ${counted} packets were counted as denied` }
        : { verdict: "deny", detail: "no reply" };
    case "sent":
      return counted > 0
        ? { verdict: "deny", detail: `${counted} packets were counted as denied` }
        : { verdict: "allow", detail: "sent, and not denied on this host" };
    default:
      return { verdict: "unknown", detail: said === "" ? "nothing could be sent" : said };
  }
}
