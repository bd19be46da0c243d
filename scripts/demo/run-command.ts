// SPDX-License-Identifier: Apache-2.0
// What both demos do: say something, run a command of Fairlead, tell a decision.
import { spawn, type ChildProcess } from "node:child_process";
import type { Decision } from "@fairlead/protocol/decision.ts";
import { ROOT } from "../setup.ts";

/** One line to whoever watches. */
export const say = (line: string): void => void process.stdout.write(`${line}\n`);

function endOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => child.once("exit", (code) => resolve(code ?? 130)));
}

/** Runs a command before the watcher's eyes and returns its exit code; the signal ends it. */
export function runCommand(
  env: NodeJS.ProcessEnv,
  args: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const child = spawn(process.execPath, [`${ROOT}src/main.ts`, ...args], {
    env,
    stdio: "inherit",
    detached: true,
  });
  const stop = (): void => void child.kill("SIGINT");
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  return endOf(child).finally(() => signal.removeEventListener("abort", stop));
}

/** What was decided, why, by which rule, and what came of it. */
export function tellDecision({ id, node, outcome, result, rule, title, trigger }: Decision): void {
  const { at, text } = rule;
  const where = at === undefined ? "" : `  ${at.file.replace(ROOT, "")}:${at.line ?? ""}`;
  say(`decided   ${title}  ${id}${node === undefined ? "" : `  by ${node}`}`);
  say(`  because ${trigger.detail}`);
  say(`  rule    ${text}${where}`);
  say(`  result  ${result ?? outcome}`);
}
