// SPDX-License-Identifier: Apache-2.0
// A program with an agent as a process of the test, in a network that the test names; it is told what to do line by line.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export interface AgentProcessOptions {
  readonly name: string;
  /** Path of the network namespace in which it runs. */
  readonly network: string;
  /** Where its node is joined. */
  readonly fabric: string;
  /** Path of the program; it says a line when it has joined, and one for each that it reads. */
  readonly program: string;
  readonly env?: NodeJS.ProcessEnv;
}

export interface AgentProcess extends AsyncDisposable {
  /** What it says to a line. */
  ask(line: string): Promise<string>;
}

/** Starts it in the scope `direct`; it has joined once this resolves. */
export async function startAgentProcess(options: AgentProcessOptions): Promise<AgentProcess> {
  const { name, network, fabric, program, env } = options;
  const child = spawn("nsenter", [`--net=${network}`, process.execPath, program], {
    env: {
      ...process.env,
      FAIRLEAD_FABRIC: fabric,
      FAIRLEAD_NAME: name,
      FAIRLEAD_SCOPE: "direct",
      ...env,
    },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const readLine = async (): Promise<string> => String((await lines.next()).value);
  assert.match(await readLine(), /joined/);
  return {
    async ask(line) {
      child.stdin.write(`${line}\n`);
      return readLine();
    },
    async [Symbol.asyncDispose]() {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}
