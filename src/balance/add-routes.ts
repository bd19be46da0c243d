// SPDX-License-Identifier: Apache-2.0
// A packet has to have a way before it meets any rule. A container without a default route gets one to the services'
// addresses: to itself, where the rules turn it.
import { spawn } from "node:child_process";
import { isIpv4, parseBlock } from "#base/addresses.ts";
import { FairleadError } from "#base/errors.ts";
import { netfilterErrors } from "#netfilter/errors.ts";

const PATIENCE_MS = 10_000;

interface Ended {
  readonly code: number;
  readonly stderr: string;
}

function runIp(args: readonly string[], netns: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn("nsenter", [`--net=${netns}`, "ip", ...args], {
      stdio: ["ignore", "ignore", "pipe"],
      timeout: PATIENCE_MS,
      env: { ...process.env, LC_ALL: "C" },
    });
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.on("error", (cause) =>
      reject(
        new FairleadError(netfilterErrors["netfilter-tools"], "nsenter cannot be run", { cause }),
      ),
    );
    child.on("close", (code) => resolve({ code: code ?? -1, stderr: stderr.trim() }));
  });
}

/**
 * Makes sure that what is sent to the ranges meets the rules of that namespace. Where there is a way already nothing is
 * changed; the node's own namespace is never. Throws FL1301 `netfilter-tools`, FL1303 `netfilter-refused`.
 */
export async function addRoutes(
  own: readonly string[],
  ranges: readonly string[],
  { netns }: { readonly netns?: string },
): Promise<void> {
  if (netns === undefined) return;
  for (const range of ranges) {
    const isFour = parseBlock(range)?.family === 4;
    const source = own.find((address) => isIpv4(address) === isFour);
    if (source === undefined) continue;
    const probe = range.split("/")[0] ?? "";
    if ((await runIp(["route", "get", probe], netns)).code === 0) continue;
    const family = isFour ? [] : ["-6"];
    const args = [...family, "route", "replace", range, "dev", "lo", "src", source];
    const { code, stderr } = await runIp(args, netns);
    if (code !== 0)
      throw new FairleadError(
        netfilterErrors["netfilter-refused"],
        `ip ${args.join(" ")}: ${stderr}`,
      );
  }
}
