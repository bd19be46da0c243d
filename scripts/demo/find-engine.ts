// SPDX-License-Identifier: Apache-2.0
// The engine that the demo uses: the machine's own where one answers, else a private one that leaves the machine's
// firewall alone and is gone afterwards with all it held.
import { spawn, type ChildProcess } from "node:child_process";
import { openSync, rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Random } from "#base/clock.ts";
import type { Engine } from "#engine/engine.ts";
import { openEngine } from "#engine/open.ts";

export interface DemoEngine extends AsyncDisposable {
  readonly engine: Engine;
  readonly endpoint: string;
  readonly isPrivate: boolean;
}

interface Parts {
  readonly clock: Clock;
  readonly random: Random;
  /** A directory of the demo's own. */
  readonly directory: string;
}

const READY_MS = 30_000;

async function isAnswering(engine: Engine): Promise<boolean> {
  try {
    await engine.info({ deadlineMs: 3_000 });
    return true;
  } catch {
    return false;
  }
}

/** An engine that is not the demo's stays when the demo goes. */
function leaveAlone(engine: Engine): DemoEngine {
  const { endpoint } = engine;
  const close = (): PromiseLike<void> => engine[Symbol.asyncDispose]();
  return { engine, endpoint, isPrivate: false, [Symbol.asyncDispose]: close };
}

function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}

/**
 * `--bridge=none`: no docker0, which would outlive the engine. `--iptables=false`: published ports go through the engine's own proxy and no rule of the machine is touched.
 * The mount namespace takes all of the engine's mounts with it when it ends.
 */
function launch(directory: string): ChildProcess {
  const log = openSync(join(directory, "engine.log"), "a");
  const args = [
    ["--data-root", join(directory, "data")],
    ["--exec-root", join(directory, "exec")],
    ["--host", `unix://${join(directory, "docker.sock")}`],
    ["--pidfile", join(directory, "docker.pid")],
    ["--bridge", "none"],
    ["--default-address-pool", "base=10.214.0.0/16,size=24"],
    ["--iptables=false", "--ip-forward=false", "--ip-masq=false", "--ip6tables=false"],
  ].flat();
  return spawn("unshare", ["--mount", "dockerd", ...args], {
    stdio: ["ignore", log, log],
    detached: true,
  });
}

/** The bridges of networks outlive an engine that only ends; the engine takes them away while it is there. */
async function removeNetworks(engine: Engine): Promise<void> {
  const own = (await engine.listNetworks()).filter(({ driver }) => driver === "bridge");
  for (const { id } of own) await engine.removeNetwork(id, { decision: "demo-removal" });
}

async function removeInstances(engine: Engine): Promise<void> {
  const options = { decision: "demo-removal", force: true, anonymousVolumes: true };
  for (const { id } of await engine.listInstances()) await engine.removeInstance(id, options);
}

/** Ends the engine and removes what it held, whatever state it is in; then says what could not be removed before. */
async function endPrivate(engine: Engine, child: ChildProcess, directory: string): Promise<void> {
  try {
    await removeInstances(engine);
    await removeNetworks(engine);
  } finally {
    await engine[Symbol.asyncDispose]();
    child.kill("SIGTERM");
    const slow = setTimeout(() => child.kill("SIGKILL"), 15_000);
    await endOf(child);
    clearTimeout(slow);
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

function endpointIn(directory: string): string {
  return `unix://${join(directory, "docker.sock")}`;
}

async function startPrivate(parts: Parts): Promise<DemoEngine> {
  const { directory, clock } = parts;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const child = launch(directory);
  const endpoint = endpointIn(directory);
  const engine = openEngine({ endpoint, env: {} }, parts);
  const giveUpMs = clock.monotonicMs() + READY_MS;
  while (!(await isAnswering(engine))) {
    if (child.exitCode !== null || clock.monotonicMs() > giveUpMs) {
      child.kill("SIGKILL");
      throw new Error(
        `the private engine did not come up; its log is ${join(directory, "engine.log")}`,
      );
    }
    await clock.sleep(100);
  }
  return {
    engine,
    endpoint,
    isPrivate: true,
    [Symbol.asyncDispose]: () => endPrivate(engine, child, directory),
  };
}

/**
 * The private engine of a demo that was killed: the one that still runs, or one that is started over what it left, since
 * only an engine can take its networks away. One that still runs is left to whoever clears the demo's ledger.
 */
export async function resumePrivate(parts: Parts): Promise<DemoEngine> {
  const endpoint = endpointIn(parts.directory);
  const engine = openEngine({ endpoint, env: {} }, parts);
  if (!(await isAnswering(engine))) {
    await engine[Symbol.asyncDispose]();
    return startPrivate(parts);
  }
  return {
    engine,
    endpoint,
    isPrivate: true,
    async [Symbol.asyncDispose]() {
      await removeInstances(engine);
      await removeNetworks(engine);
      await engine[Symbol.asyncDispose]();
    },
  };
}

/** Opens an engine that is somebody's; undefined when it does not answer. */
export async function reopenEngine(
  endpoint: string,
  parts: Pick<Parts, "clock" | "random">,
): Promise<DemoEngine | undefined> {
  const engine = openEngine({ endpoint, env: process.env }, parts);
  if (await isAnswering(engine)) return leaveAlone(engine);
  await engine[Symbol.asyncDispose]();
  return undefined;
}

/** Finds or starts it. */
export async function findEngine(parts: Parts): Promise<DemoEngine> {
  return (await reopenEngine("", parts)) ?? startPrivate(parts);
}
