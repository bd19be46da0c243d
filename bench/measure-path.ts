// SPDX-License-Identifier: Apache-2.0
// What a path between two network namespaces carries: TCP throughput by iperf3, and a question and its answer of 64 bytes.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

const SECONDS = process.env["FAIRLEAD_BENCH_SECONDS"] ?? "2";
const ECHO = fileURLToPath(new URL("./overlay-echo.ts", import.meta.url));
const TRIES = 20;

/** An end of a path: where to run programs, and its address. */
export interface End {
  /** By its path, `/proc/4711/ns/net`. */
  readonly netns: string;
  readonly address: string;
}

/** From where to where. */
export interface Path {
  readonly from: End;
  readonly to: End;
}

const inside = ({ netns }: End, ...command: string[]): string[] => [`--net=${netns}`, ...command];

/** Runs a program at an end, and returns what it printed. Throws with its complaint. */
export function runAt(end: End, ...command: string[]): string {
  const { status, stdout, stderr } = spawnSync("nsenter", inside(end, ...command), {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${command.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}

/** Servers at the far end. Who starts them kills them. */
export function serve({ to }: Path): readonly ChildProcess[] {
  const commands = [
    ["iperf3", "-s"],
    [process.execPath, ECHO, "serve"],
  ];
  return commands.map((command) => spawn("nsenter", inside(to, ...command), { stdio: "ignore" }));
}

/** Resolves once the servers answer. */
export async function waitUntilUp({ from, to }: Path): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      runAt(from, process.execPath, ECHO, "ask", to.address);
      runAt(from, "iperf3", "-c", to.address, "-n", "1M");
      return;
    } catch (error) {
      if (tries > TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

/** TCP throughput in Gbit/s, and how long each answer took, µs. */
export interface Measured {
  readonly tcpGbitS: number;
  readonly repliesUs: readonly number[];
}

/** Measures both, one after the other. */
export function measurePath({ from, to }: Path): Measured {
  const text = runAt(from, "iperf3", "-J", "-c", to.address, "-t", SECONDS);
  const parsed = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
  const asked = runAt(from, process.execPath, ECHO, "ask", to.address);
  return {
    tcpGbitS: parsed.end.sum_received.bits_per_second / 1e9,
    repliesUs: JSON.parse(asked) as number[],
  };
}
