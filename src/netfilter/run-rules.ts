// SPDX-License-Identifier: Apache-2.0
// One run of nft, or of another program that makes packet rules. Its stdin is a socket here, as all of Node's pipes: nft reads
// commands from that as text, not as JSON.
import { spawn } from "node:child_process";
import { open, type FileHandle } from "node:fs/promises";
import { FairleadError } from "#base/errors.ts";
import { netfilterErrors } from "./errors.ts";

/** Twenty thousand rules are four megabytes. */
const OUTPUT_BYTES_MAX = 256 * 1_048_576;
const COMPLAINT_MAX = 4_000;
/** Where the child finds the namespace that it enters. */
const NAMESPACE_FD = 3;

/** How a run ended. */
export interface RulesAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function openNamespace(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (error) {
    const gone = error instanceof Error && "code" in error && error.code !== "EACCES";
    const kind = netfilterErrors[gone ? "netfilter-namespace" : "netfilter-rights"];
    throw new FairleadError(kind, `${path} cannot be opened`, { cause: error });
  }
}

function spawnInside(
  command: readonly string[],
  input: string,
  namespace: FileHandle | undefined,
  signal: AbortSignal,
): Promise<RulesAnswer> {
  const inside = ["nsenter", `--net=/proc/self/fd/${NAMESPACE_FD}`];
  const [program = "", ...args] = [...(namespace === undefined ? [] : inside), ...command];
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["pipe", "pipe", "pipe", ...(namespace === undefined ? [] : [namespace.fd])],
      env: { ...process.env, LC_ALL: "C" },
      killSignal: "SIGKILL",
      signal,
    });
    const [stdin, stdout, stderr] = child.stdio;
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    let complaint = "";
    stdout?.on("data", (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes > OUTPUT_BYTES_MAX) child.kill("SIGKILL");
      else chunks.push(chunk);
    });
    stderr?.on("data", (chunk: Buffer) => {
      if (complaint.length < COMPLAINT_MAX) complaint += chunk.toString();
    });
    child.on("error", (cause) => {
      if (signal.aborted) reject(signal.reason);
      else
        reject(
          new FairleadError(netfilterErrors["netfilter-tools"], `${program} cannot be run`, {
            cause,
          }),
        );
    });
    child.on("close", (code) =>
      resolve({
        code: code ?? -1,
        stdout: Buffer.concat(chunks).toString(),
        stderr: complaint.trim(),
      }),
    );
    // It may have ended before it read.
    stdin?.on("error", () => undefined);
    stdin?.end(input);
  });
}

/**
 * Runs a program that makes packet rules, in another network namespace where a path names one. Opened before the run, so that the
 * run is about the namespace that had the path then, or about none. Throws FL1301, FL1302, FL1304, or the reason of the signal.
 */
export async function runRules(
  command: readonly string[],
  input: string,
  { netns, signal }: { readonly netns: string | undefined; readonly signal: AbortSignal },
): Promise<RulesAnswer> {
  signal.throwIfAborted();
  if (netns === undefined) return spawnInside(command, input, undefined, signal);
  await using namespace = await openNamespace(netns);
  const answer = await spawnInside(command, input, namespace, signal);
  if (answer.stderr.includes(`failed to execute ${command[0] ?? ""}`))
    throw new FairleadError(netfilterErrors["netfilter-tools"], answer.stderr);
  return answer;
}
