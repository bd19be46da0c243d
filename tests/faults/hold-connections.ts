// SPDX-License-Identifier: Apache-2.0
// Connections that stay: a line now and then, which has to come back. One that ends, or is silent for long, was cut.
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Interface } from "node:readline";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "#lab/rig.ts";
import { nowMs } from "./ground.ts";

const EVERY_MS = 500;
/** A busy machine may take its time; an end is told at once. */
const SILENT_MS = 10_000;
const PATIENCE_MS = 30_000;

/** Two ends that a program holds: what it is told it sends, what it prints was sent back. */
export interface Way {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
}

export interface Held extends AsyncDisposable {
  readonly name: string;
  /** Lines that came back. */
  readonly echoes: number;
  /** The longest time between two of them, milliseconds. */
  readonly silenceMs: number;
  /** Why it stands no more; undefined while it does. */
  readonly cut: string | undefined;
}

function watchEchoes(lines: Interface) {
  let [echoes, silenceMs, lastMs] = [0, 0, nowMs()];
  lines.on("line", () => {
    echoes++;
    silenceMs = Math.max(silenceMs, nowMs() - lastMs);
    lastMs = nowMs();
  });
  return {
    count: () => echoes,
    longestMs: () => Math.max(silenceMs, nowMs() - lastMs),
  };
}

/** Opens it, and tries again what is refused at first; the first line came back once this resolves. */
export async function holdConnection(way: Way): Promise<Held> {
  const untilMs = nowMs() + PATIENCE_MS;
  for (;;) {
    try {
      return await open(way);
    } catch (error) {
      if (nowMs() > untilMs) throw error;
      await sleep(EVERY_MS);
    }
  }
}

async function open({ name, program, args }: Way): Promise<Held> {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  const ended = once(child, "exit");
  let end: string | undefined;
  let complaint = "";
  child.stdin.on("error", () => undefined);
  child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint += text));
  child.once("exit", (code) => (end ??= `ended with ${code} ${complaint}`.trim()));
  const seen = watchEchoes(createInterface({ input: child.stdout }));
  const stop = new AbortController();
  async function talk(): Promise<void> {
    for (let line = 1; !stop.signal.aborted && end === undefined; line++) {
      child.stdin.write(`${line}\n`);
      await sleep(EVERY_MS, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  }
  const talking = talk();
  const owned = {
    name,
    get echoes() {
      return seen.count();
    },
    get silenceMs() {
      return seen.longestMs();
    },
    get cut() {
      if (end !== undefined) return end;
      const silenceMs = seen.longestMs();
      return silenceMs > SILENT_MS ? `silent for ${(silenceMs / 1_000).toFixed(1)} s` : undefined;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await talking;
      child.kill("SIGKILL");
      await ended;
    },
  };
  try {
    await until(`${name} answers`, PATIENCE_MS, () => seen.count() > 0 || end !== undefined);
    if (end !== undefined) throw new Error(`${name}: ${end}`);
  } catch (error) {
    await owned[Symbol.asyncDispose]();
    throw error;
  }
  return owned;
}
