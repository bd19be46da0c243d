// SPDX-License-Identifier: Apache-2.0
// Debian's serf on every host, with its settings for a LAN: who is said to have failed, and when.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { LabHost } from "#lab/hosts.ts";
import { until } from "#lab/rig.ts";

const PORT = 7950;
const PATIENCE_MS = 60_000;

export interface Serf extends AsyncDisposable {
  /** When the last of the others said that a host has failed, wall clock in milliseconds. */
  awaitFailed(name: string, afterMs: number): Promise<number>;
  /** Resolves once all say that it is alive. */
  awaitAlive(name: string): Promise<void>;
}

interface Turn {
  readonly kind: string;
  readonly of: string;
  readonly atMs: number;
}

interface Agent {
  readonly name: string;
  readonly child: ChildProcess;
  readonly turns: Turn[];
}

const TURN = /serf: Event(MemberFailed|MemberJoin): (\S+)/;

function startAgent(host: LabHost, join: string | undefined): Agent {
  const own = ["-node", host.name, "-bind", `${host.ip}:${PORT}`, "-rpc-addr", "127.0.0.1:7951"];
  const others = join === undefined ? [] : ["-retry-join", `${join}:${PORT}`];
  const args = [`--net=/run/netns/${host.netns}`, "serf", "agent", ...own, ...others];
  const child = spawn("nsenter", args, { stdio: ["ignore", "pipe", "pipe"] });
  const turns: Turn[] = [];
  const read = (text: string): void => {
    for (const line of text.split("\n")) {
      const [, kind, of] = TURN.exec(line) ?? [];
      if (kind === undefined || of === undefined) continue;
      turns.push({ kind, of, atMs: performance.timeOrigin + performance.now() });
    }
  };
  child.stdout.setEncoding("utf8").on("data", read);
  child.stderr.setEncoding("utf8").on("data", read);
  return { name: host.name, child, turns };
}

/** Starts an agent on each host; all know each other once this resolves. */
export async function startSerf(hosts: readonly LabHost[]): Promise<Serf> {
  const agents = hosts.map((host, index) => startAgent(host, index > 0 ? hosts[0]?.ip : undefined));
  const lastOf = ({ turns }: Agent, name: string): Turn | undefined =>
    turns.findLast(({ of }) => of === name);
  const all = (name: string, isIt: (turn: Turn | undefined) => boolean): boolean =>
    agents.every((agent) => agent.name === name || isIt(lastOf(agent, name)));
  const serf: Serf = {
    async awaitFailed(name, afterMs) {
      const isIt = (turn: Turn | undefined): boolean =>
        turn?.kind === "MemberFailed" && turn.atMs > afterMs;
      await until(`serf says that ${name} failed`, PATIENCE_MS, () => all(name, isIt));
      const others = agents.filter((agent) => agent.name !== name);
      return Math.max(...others.map((agent) => lastOf(agent, name)?.atMs ?? 0));
    },
    awaitAlive: (name) =>
      until(`serf knows ${name}`, PATIENCE_MS, () =>
        all(name, (turn) => turn?.kind === "MemberJoin"),
      ),
    async [Symbol.asyncDispose]() {
      for (const { child } of agents) {
        if (child.exitCode !== null) continue;
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      }
    },
  };
  for (const { name } of hosts) await serf.awaitAlive(name);
  return serf;
}
