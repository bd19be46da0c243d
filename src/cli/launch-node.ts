// SPDX-License-Identifier: Apache-2.0
// Starts a node in the background and waits until it answers, or says why it does not.
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { NOT_READ } from "@fairlead/protocol/not-read.ts";
import type { NodeStatus } from "@fairlead/protocol/views.ts";
import { FairleadError } from "#base/errors.ts";
import { findPlaces, locateNodeFiles, makeNodeDirectories } from "#config/node-files.ts";
import { NODE_PROCESS_FLAGS, withCompileCache } from "#config/process-flags.ts";
import type { Context } from "./context.ts";
import { cliErrors } from "./errors.ts";
import { EXIT } from "./exit-codes.ts";

const LOG_LINES = 12;

function readEnd(path: string, from: number): string {
  const lines = readFileSync(path).subarray(from).toString("utf8").trimEnd().split("\n");
  return lines.slice(-LOG_LINES).join("\n");
}

function sizeOf(path: string): number {
  try {
    return readFileSync(path).byteLength;
  } catch {
    return 0;
  }
}

/** Resolves when the child says that it is ready, rejects when it ends before. */
function awaitReady(child: ChildProcess, log: string, from: number): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("message", () => resolve());
    child.once("error", (thrown) => reject(FairleadError.from(thrown, cliErrors["node-died"])));
    child.once("exit", (code, signal) => {
      reject(
        new FairleadError(cliErrors["node-died"], "the node could not start", {
          facts: { "exit status": code ?? signal ?? "unknown", log, said: readEnd(log, from) },
        }),
      );
    });
  });
}

async function ask(context: Context): Promise<NodeStatus | undefined> {
  try {
    return await context.api.call<NodeStatus>("GET", "status");
  } catch (thrown) {
    if (thrown instanceof FairleadError && thrown.kind.id === cliErrors["node-unreachable"].id)
      return undefined;
    throw thrown;
  }
}

/** How long a node that owns the directory already may take until it answers. */
const OTHER_MS = 10_000;
const OTHER_LOOK_MS = 100;

/** FL0405 `store-locked`. */
const LOCKED = /^error FL0405 /m;

/** The node was refused its directory: another process has it. By its last words, since a port in use exits alike. */
function isRefused(thrown: unknown): boolean {
  if (!(thrown instanceof FairleadError)) return false;
  const { "exit status": status, said } = thrown.facts;
  return status === EXIT.refused && LOCKED.test(String(said));
}

async function findOther(context: Context, patienceMs: number): Promise<boolean> {
  const giveUpMs = performance.now() + patienceMs;
  for (;;) {
    if ((await ask(context)) !== undefined) return true;
    if (performance.now() >= giveUpMs) return false;
    await sleep(OTHER_LOOK_MS, undefined, { signal: context.signal });
  }
}

async function launch(context: Context): Promise<void> {
  // Loaded here: mostly a node runs, and who has a Compose file applied needs no settings.
  const { loadNodeSettings } = await import("./load-node-settings.ts");
  const { settings } = loadNodeSettings(context, { socket: context.socket });
  const files = locateNodeFiles(findPlaces(settings));
  makeNodeDirectories(files);
  const { log } = files;
  const from = sizeOf(log);
  const file = openSync(log, "a", 0o600);
  const child = spawn(
    process.execPath,
    [...NODE_PROCESS_FLAGS, `${context.root}src/main.ts`, "node", "--socket", context.socket],
    {
      detached: true,
      env: withCompileCache(context.env, context.root),
      cwd: context.root,
      stdio: ["ignore", file, file, "ipc"],
    },
  );
  closeSync(file);
  const stop = () => child.kill();
  context.signal.addEventListener("abort", stop, { once: true });
  try {
    await awaitReady(child, log, from);
  } catch (thrown) {
    // Another command may have started a node at the same moment; one is enough.
    if (await findOther(context, isRefused(thrown) ? OTHER_MS : 0)) return;
    throw thrown;
  } finally {
    context.signal.removeEventListener("abort", stop);
  }
  if (child.connected) child.disconnect();
  child.unref();
  context.out.note(
    `started a node: pid ${child.pid}, log ${log}; it stays when this command ends (fairlead node stop)`,
  );
}

const SIGHT_MS = 2_000;
const LOOK_MS = 50;

/** A node that has just started needs a moment to see its engine, or that there is none. */
async function awaitSight(context: Context): Promise<void> {
  const startedMs = performance.now();
  while (performance.now() - startedMs < SIGHT_MS) {
    const engine = (await ask(context))?.engine;
    if (engine !== undefined && engine.problem !== NOT_READ) return;
    await sleep(LOOK_MS, undefined, { signal: context.signal });
  }
}

/** Makes sure that a node answers at the socket. Throws FL0614 with the end of its log when it cannot start. */
export async function ensureNode(context: Context): Promise<void> {
  if ((await ask(context)) !== undefined) return;
  await launch(context);
  await awaitSight(context);
}
