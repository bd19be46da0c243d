// SPDX-License-Identifier: Apache-2.0
// The demo of a fleet: hosts in namespaces of this machine, calls between containers on different hosts, a host that dies
// and comes back. All of it is in the ledgers of labs, so that the next lab or demo removes what a killed one left.
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { InstanceView } from "@fairlead/protocol/views.ts";
import { formatDuration } from "#base/duration.ts";
import { openEngine } from "#engine/open.ts";
import { readScope, readState, startFleet, type LabFleet } from "#lab/fleet.ts";
import type { HostNode } from "#lab/host-node.ts";
import { listLabs } from "#lab/ledger.ts";
import { createSystemClock } from "#node/system-clock.ts";
import { ensurePackages, FLEET_NEEDS, ROOT } from "../setup.ts";
import { callClerks, startClerk, type Clerk } from "./fleet-agents.ts";
import { runCommand, say, tellDecision } from "./run-command.ts";

export interface FleetDemo {
  readonly hosts: number;
  /** One host dies, and no more. */
  readonly once: boolean;
  readonly everyMs: number;
  /** Ends it early; what was made is removed all the same. */
  readonly signal: AbortSignal;
}

interface Score {
  lost: number;
  healed: number;
  calls: number;
  answered: number;
}

/** A fleet, and an agent on each host. */
interface Stage {
  readonly fleet: LabFleet;
  /** In the order of the hosts; one that died with its host is replaced. */
  readonly clerks: Clerk[];
}

const SCOPE = "fairlead-demo";
const HEAL_MAX_MS = 120_000;
const CALL_MAX_MS = 10_000;
const LOOK_MS = 100;
/** Marks the demo's own reads, so that nobody takes them for Fairlead's. */
const CALL = "demo-call";
const clock = createSystemClock();

async function awaitUntil(
  test: () => Promise<boolean>,
  signal: AbortSignal,
  maxMs = HEAL_MAX_MS,
): Promise<boolean> {
  const giveUpMs = clock.monotonicMs() + maxMs;
  while (clock.monotonicMs() < giveUpMs && !signal.aborted) {
    if (await test().catch(() => false)) return true;
    await clock.sleep(LOOK_MS, signal).catch(() => undefined);
  }
  return false;
}

async function listInstances(by: HostNode): Promise<readonly InstanceView[]> {
  return (await readScope(by, SCOPE))?.services.flatMap(({ instances }) => instances) ?? [];
}

/** The node runs commands in its own network, the CLI needs only its socket. */
const envOf = ({ socket }: HostNode): NodeJS.ProcessEnv => ({
  ...process.env,
  FAIRLEAD_SOCKET: socket,
});

/** What an instance hears from an address; empty when nobody answers. */
async function fetchInside(host: HostNode, id: string, url: string): Promise<string> {
  const options = { endpoint: host.host.endpoint, env: {} };
  await using engine = openEngine(options, { clock, random: Math.random });
  const command = ["wget", "-q", "-O", "-", url];
  try {
    const { stdout } = await engine.exec(id, command, { decision: CALL, deadlineMs: CALL_MAX_MS });
    return stdout.trim();
  } catch {
    // That it did not answer in time is told by whoever asked.
    return "";
  }
}

/** Each instance asks one on another host over the network that spans them. */
async function callAcross(fleet: LabFleet, by: HostNode, score: Score): Promise<void> {
  const instances = await listInstances(by);
  for (const from of instances) {
    const host = fleet.nodes.find((node) => node.host.name === from.node);
    const to = instances.find(({ node }) => node !== from.node);
    const address = Object.values(to?.addresses ?? {})[0];
    if (host === undefined || to === undefined || address === undefined) continue;
    const url = `http://${address}:8080/`;
    score.calls++;
    const said = await fetchInside(host, from.id, url);
    if (said !== "") score.answered++;
    say(
      `call      ${from.name} on ${from.node ?? ""} -> ${to.name} on ${to.node ?? ""}: ${said === "" ? "no answer" : said}`,
    );
  }
}

async function tellSince(by: HostNode, sinceMs: number): Promise<void> {
  const path = `decisions?scope=${SCOPE}&limit=50&sinceMs=${sinceMs}`;
  const { body } = await by.ask<{ items: readonly Decision[] }>(path);
  for (const decision of body.items.toReversed())
    if (decision.act !== "network.create") tellDecision(decision);
}

/** A host dies as by a power cut, and comes back. True when all was as wanted after either. */
async function loseHost(
  { fleet, clerks }: Stage,
  victim: HostNode,
  signal: AbortSignal,
  score: Score,
): Promise<boolean> {
  const [by] = fleet.nodes.filter((node) => node !== victim);
  if (by === undefined) return false;
  const { host } = victim;
  const isWanted = async (): Promise<boolean> => (await readScope(by, SCOPE))?.settled === true;
  const isOn = async (): Promise<boolean> =>
    (await listInstances(by)).some(({ node }) => node === host.name);

  say(`\nfault     ${host.name} dies: its node, its engine and its cable, at once`);
  let [sinceMs, beganMs] = [clock.nowMs(), clock.monotonicMs()];
  host.cutOff();
  const at = fleet.nodes.indexOf(victim);
  const others = clerks.filter((_, index) => index !== at);
  await Promise.all([victim.signal("SIGKILL"), host.kill(), clerks[at]?.[Symbol.asyncDispose]()]);
  const moved = await awaitUntil(async () => !(await isOn()) && (await isWanted()), signal);
  const movedMs = clock.monotonicMs() - beganMs;
  await tellSince(by, sinceMs);
  say(
    moved
      ? `healed    what ran on ${host.name} runs elsewhere after ${formatDuration(movedMs)}`
      : `not healed after ${formatDuration(movedMs)}`,
  );
  await runCommand(envOf(by), ["ps", "--scope", SCOPE], signal);
  await callAcross(fleet, by, score);
  await callClerks(others, score);

  say(`\nback      ${host.name} is plugged in and started again`);
  [sinceMs, beganMs] = [clock.nowMs(), clock.monotonicMs()];
  host.rejoin();
  await host.start();
  await victim.start();
  const isBack = async (): Promise<boolean> =>
    (await readState(by, host.name))?.state === "alive" && !(await isOn()) && (await isWanted());
  const folded = await awaitUntil(isBack, signal);
  await tellSince(by, sinceMs);
  say(
    folded
      ? `healed    ${host.name} takes part again after ${formatDuration(clock.monotonicMs() - beganMs)}; nothing runs twice`
      : `not healed: ${host.name} is not back`,
  );
  clerks[at] = await startClerk(victim, SCOPE);
  await callClerks(clerks, score);
  await runCommand(envOf(by), ["nodes"], signal);
  return moved && folded;
}

async function play(stage: Stage, demo: FleetDemo, score: Score): Promise<void> {
  const { fleet, clerks } = stage;
  const { once, everyMs, signal } = demo;
  const [first] = fleet.nodes;
  if (first === undefined) return;
  const file = `${ROOT}examples/fleet/compose.yaml`;
  const up = ["up", "-f", file, "-p", SCOPE, "--timeout", "180s"];
  const code = await runCommand(envOf(first), up, signal);
  if (code !== 0) throw new Error(`fairlead up ended with ${code}`);
  await runCommand(envOf(first), ["nodes"], signal);
  await callAcross(fleet, first, score);
  for (const node of fleet.nodes) clerks.push(await startClerk(node, SCOPE));
  await callClerks(clerks, score);
  await runCommand(envOf(first), ["map", "--hosts"], signal);
  for (let round = 1; !signal.aborted; round++) {
    if (!once) {
      say(
        `\nnext      a host dies in ${everyMs / 1_000} s; Ctrl-C ends the demo and removes everything`,
      );
      await clock.sleep(everyMs, signal).catch(() => undefined);
      if (signal.aborted) return;
    }
    const victim = fleet.nodes.at(-1 - ((round - 1) % fleet.nodes.length));
    if (victim === undefined) return;
    score.lost++;
    if (await loseHost(stage, victim, signal, score)) score.healed++;
    if (once) return;
  }
}

/** Removes everything and looks at what is left, which has to be nothing. */
async function tidyUp({ fleet, clerks }: Stage): Promise<boolean> {
  say("\nremoving  everything that the demo made");
  await Promise.all(clerks.map((clerk) => clerk[Symbol.asyncDispose]()));
  const [first] = fleet.nodes;
  const never = new AbortController().signal;
  const args = ["down", "--scope", SCOPE, "-v", "--progress", "quiet"];
  try {
    if (first !== undefined) await runCommand(envOf(first), args, never);
  } finally {
    await fleet[Symbol.asyncDispose]();
  }
  const left = listLabs().filter(({ pid }) => pid === process.pid);
  say(`proof     ${left.length} labs left: no host, no network, no process, no file`);
  return left.length === 0;
}

/** Plays it; 0 only if all healed, all calls were answered, and nothing is left. */
export async function playFleet(demo: FleetDemo): Promise<number> {
  const beganMs = clock.monotonicMs();
  ensurePackages(FLEET_NEEDS);
  const fleet = await startFleet({ hosts: demo.hosts });
  say(
    `hosts     ${fleet.nodes.map(({ host }) => `${host.name} ${host.ip}`).join(", ")}: an engine and a node each, in namespaces of this machine; etcd on three`,
  );
  const score: Score = { lost: 0, healed: 0, calls: 0, answered: 0 };
  let problem: string | undefined;
  const note = (error: unknown): void => {
    problem ??= error instanceof Error ? error.message : String(error);
  };
  const stage: Stage = { fleet, clerks: [] };
  await play(stage, demo, score).catch((error: unknown) => {
    if (!demo.signal.aborted) note(error);
  });
  const clean = await tidyUp(stage).catch((error: unknown) => {
    note(error);
    return false;
  });
  const { lost, healed, calls, answered } = score;
  say(
    `summary   ${healed} of ${lost} lost hosts healed, ${answered} of ${calls} calls between hosts answered, ${clean ? "nothing left" : "something is left"}, ${formatDuration(clock.monotonicMs() - beganMs)}`,
  );
  if (problem !== undefined) process.stderr.write(`error: ${problem}\n`);
  const isWhole = healed === lost && answered === calls && (!demo.once || lost === 1);
  return problem === undefined && clean && isWhole ? 0 : 1;
}
