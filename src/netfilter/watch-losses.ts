// SPDX-License-Identifier: Apache-2.0
// Tables that are taken away, whoever does it: a firewall that is loaded anew may flush those of others too.
import { spawn } from "node:child_process";

const LOSS = /^delete table \w+ (\S+)$/;
/** Said by nft where the kernel had more to tell than it could take. */
const MISSED = "lost some netlink events";

/** Of lines of `nft monitor`, the tables that are gone, or may be. */
function listLosses(lines: readonly string[], prefix: string): readonly string[] {
  if (lines.some((line) => line.includes(MISSED))) return [prefix];
  const names = lines.map((line) => LOSS.exec(line)?.[1] ?? "");
  return [...new Set(names)].filter((name) => name !== "" && name.startsWith(prefix));
}

/**
 * Says each time which tables are gone whose names begin so, of the node's network namespace or of the one with this path; what goes
 * while the caller is busy is said at once. It is a process of nft, which ends with the signal, and with the node however
 * that ends. Ends early where nft cannot watch, or is ended by somebody: then only looking tells. Throws nothing.
 */
export async function* watchLosses(
  prefix: string,
  signal: AbortSignal,
  netns?: string,
): AsyncGenerator<readonly string[]> {
  if (signal.aborted) return;
  const words = ["--pdeathsig", "KILL", "--", "nft", "monitor", "destroy", "tables"];
  const [program, args] =
    netns === undefined ? ["setpriv", words] : ["nsenter", [`--net=${netns}`, "setpriv", ...words]];
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"], signal });
  // It was ended by the signal, or there is no such program: either way its output ends.
  child.on("error", () => child.stdout.destroy());
  try {
    let rest = "";
    for await (const chunk of child.stdout.setEncoding("utf8")) {
      const lines = `${rest}${String(chunk)}`.split("\n");
      rest = lines.pop() ?? "";
      const losses = listLosses(lines, prefix);
      if (losses.length > 0) yield losses;
    }
  } catch {
    // What it said last was cut off.
  } finally {
    child.kill("SIGKILL");
  }
}
