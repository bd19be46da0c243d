// SPDX-License-Identifier: Apache-2.0
// What the SDK costs a program: from its first line to its first answer, and memory when it has nothing to do.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openHub } from "@fairlead/fabric/testing/open-hub.ts";
import { contract, join, rpc } from "@fairlead/sdk";
import { z } from "zod";
import { bundleProgram } from "#lab/bundle.ts";
import type { Bench } from "./bench.ts";
import { runInContainer } from "./sdk-container.ts";

const ROUNDS = 20;
const CONTAINER_ROUNDS = 10;
const IDLE_MS = 3_000;
const AGENT = fileURLToPath(new URL("sdk-agent.ts", import.meta.url));
const AGENT_WITH_ZOD = fileURLToPath(new URL("sdk-agent-zod.ts", import.meta.url));
/** A program that does nothing, for what Node itself takes. */
const NOTHING = `import { writeSync } from "node:fs";
writeSync(1, performance.now() - performance.nodeTiming.bootstrapComplete + "\\n");
setInterval(() => undefined, 1_000);\n`;
const ECHO = contract("bench-echo", "1.0.0", { echo: rpc({ in: z.unknown(), out: z.unknown() }) });

function readRssMb(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(match?.[1] ?? 0) / 1_024;
}

interface Run {
  readonly tookMs: number;
  readonly rssMb: number;
}

/** Runs a program until it has been idle. It tells its time on standard output. */
async function runOnce(program: string, node: string): Promise<Run> {
  const child = spawn(process.execPath, [program, node], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const [line] = await once(child.stdout, "data");
  await sleep(IDLE_MS);
  const rssMb = readRssMb(child.pid ?? 0);
  child.kill("SIGKILL");
  await ended;
  return { tookMs: z.coerce.number().parse(String(line)), rssMb };
}

export const sdk: Bench = {
  name: "sdk",
  about:
    "a bundled agent, by itself and in a container: from its start to its first answer, and its memory when idle",
  async run({ say, sample }) {
    const directory = mkdtempSync(joinPath(tmpdir(), "fairlead-bench-"));
    try {
      await using hub = await openHub();
      await using other = await join({ name: "answerer", node: hub.address });
      await other.serve(ECHO, { echo: (input) => input });
      const programs = Object.entries({
        fairlead: await bundleProgram(AGENT),
        "fairlead-zod": await bundleProgram(AGENT_WITH_ZOD),
        node: NOTHING,
      });
      for (const [subject, code] of programs) {
        writeFileSync(joinPath(directory, `${subject}.mjs`), code);
        say(`${subject}: ${Math.round(code.length / 1_024)} KiB`);
      }
      for (let round = 0; round < ROUNDS; round++) {
        for (const [subject] of programs) {
          const program = joinPath(directory, `${subject}.mjs`);
          const { tookMs, rssMb } = await runOnce(program, hub.address);
          sample({ metric: "join_to_call_ms", unit: "ms", subject, value: tookMs });
          sample({ metric: "idle_rss_mb", unit: "MiB", subject, value: rssMb });
        }
      }
      say("in a container");
      const subject = "fairlead-in-container";
      for await (const { tookMs, rssMb } of runInContainer(CONTAINER_ROUNDS, IDLE_MS)) {
        sample({ metric: "join_to_call_ms", unit: "ms", subject, value: tookMs });
        sample({ metric: "idle_rss_mb", unit: "MiB", subject, value: rssMb });
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
};
