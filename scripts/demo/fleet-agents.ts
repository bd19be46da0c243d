// SPDX-License-Identifier: Apache-2.0
// The agents of the demo of a fleet: one on each host, found by name on all of them, asked by those on others.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { HostNode } from "#lab/host-node.ts";
import { say } from "./run-command.ts";

/** An agent on a host. Disposing kills it. */
export interface Clerk extends AsyncDisposable {
  readonly name: string;
  readonly host: string;
  /** What it hears from another, or from whoever answers first; `no answer: …` from none. */
  ask(whom?: string): Promise<string>;
}

/** Calls between agents, and how many were answered. */
export interface AgentScore {
  calls: number;
  answered: number;
}

const PROGRAM = fileURLToPath(new URL("clerk.ts", import.meta.url));
/** An agent is known on all hosts within moments of joining one. */
const KNOWN_MS = 10_000;

/** Starts it in the host's network; it has joined once this resolves. */
export async function startClerk({ host, fabric }: HostNode, scope: string): Promise<Clerk> {
  const name = `clerk-${host.name}`;
  const inside = [`--net=/run/netns/${host.netns}`, process.execPath];
  const child = spawn("nsenter", [...inside, PROGRAM, fabric, scope, name], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  await once(child, "message");
  return {
    name,
    host: host.name,
    async ask(whom) {
      child.send(whom === undefined ? {} : { ask: whom });
      const [{ said }] = (await once(child, "message")) as [{ said: string }];
      return said;
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

const isAnswer = (said: string): boolean => !said.startsWith("no answer");

/** One that has just joined is asked until it is known. */
async function askUntilKnown(from: Clerk, whom: string): Promise<string> {
  for (const giveUpMs = performance.now() + KNOWN_MS; ;) {
    const said = await from.ask(whom);
    if (isAnswer(said) || performance.now() > giveUpMs) return said;
  }
}

/** Each asks every one on another host. */
export async function callClerks(clerks: readonly Clerk[], score: AgentScore): Promise<void> {
  for (const from of clerks)
    for (const to of clerks) {
      if (from === to) continue;
      const said = await askUntilKnown(from, to.name);
      score.calls++;
      if (isAnswer(said)) score.answered++;
      say(`agents    ${from.name} on ${from.host} -> ${to.name} on ${to.host}: ${said}`);
    }
}
