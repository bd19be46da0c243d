// SPDX-License-Identifier: Apache-2.0
// Something is ended and started again all the time, as a seed says: nothing grows, and all counts are in the end what they were.
import { spawnSync } from "node:child_process";
import { createHash, randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { HostNode } from "#lab/host-node.ts";
import { atMost, tell, type Figure } from "./figure.ts";
import { nowMs, SCOPE, type Ground } from "./ground.ts";
import { compareFileKinds, readFileKinds, type FileKinds } from "./read-files.ts";
import { FILES, readHoldings, readResidentBytes, type Holdings } from "./read-holdings.ts";
import type { FaultCase } from "./run-case.ts";

const SOAK_MS = Number(process.env["FAIRLEAD_FAULT_SOAK_MS"] ?? 120_000);
/** From here on it is long enough to judge memory. */
const LONG_MS = 600_000;
const EVERY_MS = Number(
  process.env["FAIRLEAD_FAULT_SOAK_EVERY_MS"] ?? (SOAK_MS >= LONG_MS ? 60_000 : 10_000),
);
const SEED = Number(process.env["FAIRLEAD_FAULT_SEED"] ?? randomInt(1_000_000));
const SAMPLE_MS = 2_000;
/** Nodes that nobody ends, whose memory can be compared. */
const SPARED = 2;
const AWAY_MS = 3_000;
const GROWTH_PERCENT = 5;
/** Connections that are kept for the next question come and go: so many files more a node are none that was forgotten. */
const KEPT_FILES = 4;

/** Numbers from 0 to below `limit`, the same for a seed. */
function createDice(seed: number): (limit: number) => number {
  let turn = 0;
  return (limit) => {
    const hash = createHash("sha256").update(`${seed} ${++turn}`).digest();
    return hash.readUInt32BE(0) % limit;
  };
}

type Dice = ReturnType<typeof createDice>;
type Nemesis = (ground: Ground, dice: Dice) => Promise<string>;

function pick<T>(from: readonly T[], dice: Dice): T {
  const found = from[dice(from.length)];
  if (found === undefined) throw new Error("there is nothing to choose from");
  return found;
}

const killInstance: Nemesis = async ({ copies, hosts }, dice) => {
  const { service, host, id } = pick(copies.looks.at(-1)?.running ?? [], dice);
  const endpoint = hosts.find(({ name }) => name === host)?.endpoint ?? "";
  // It may have ended by itself meanwhile, which is as well.
  spawnSync("docker", ["-H", endpoint, "kill", id], { stdio: "ignore" });
  return `an instance of ${service} on ${host}`;
};
const restartService: Nemesis = async ({ nodes }, dice) => {
  const service = pick(["web", "eager"], dice);
  const node = pick(nodes, dice);
  await node.cli("restart", service, "--scope", SCOPE, "--detach");
  return `all of ${service}, one after the other`;
};
/** Clients turn to others for that long. */
async function without({ client, nodes }: Ground, lost: HostNode, work: () => Promise<void>) {
  client.setSide(nodes.filter((node) => node !== lost));
  await work();
  client.setSide(nodes);
}
const killNode: Nemesis = async (ground, dice) => {
  const node = pick(ground.nodes.slice(SPARED), dice);
  const signal = dice(2) === 0 ? "SIGKILL" : "SIGTERM";
  await without(ground, node, async () => {
    await node.signal(signal);
    await node.start();
  });
  return `the node of ${node.host.name}`;
};
const killEngine: Nemesis = async ({ hosts }, dice) => {
  const host = pick(hosts, dice);
  await host.kill();
  await host.start();
  return `the engine of ${host.name}`;
};
const killMember: Nemesis = async ({ fleet }, dice) => {
  const member = pick(fleet.etcd.members, dice);
  await member.signal("SIGKILL");
  await sleep(AWAY_MS);
  await member.start();
  return "a member of etcd";
};
const pullCable: Nemesis = async (ground, dice) => {
  const node = pick(ground.nodes, dice);
  const { host } = node;
  await without(ground, node, async () => {
    host.cutOff();
    await sleep(AWAY_MS);
    host.rejoin();
  });
  return `the cable of ${host.name}`;
};
const NEMESES = [killInstance, restartService, killNode, killEngine, killMember, pullCable];

interface Sample {
  readonly atMs: number;
  /** Of each node that is spared. */
  readonly bytes: readonly number[];
}

/** Reads memory until it is ended. */
async function sample({ nodes }: Ground, samples: Sample[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const spared = nodes.slice(0, SPARED);
    const bytes = spared.map((node) => readResidentBytes(node.pid()));
    samples.push({ atMs: nowMs(), bytes });
    await sleep(SAMPLE_MS, undefined, { signal }).catch(() => undefined);
  }
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Each spared node's memory in the second eighth of the time, and in the last. */
function judgeMemory({ nodes }: Ground, samples: readonly Sample[], fromMs: number): Figure[] {
  const eighth = (part: number): readonly Sample[] =>
    samples.filter(({ atMs }) => Math.floor((8 * (atMs - fromMs)) / SOAK_MS) === part);
  const [early, late] = [eighth(1), eighth(7)];
  return nodes.slice(0, SPARED).map(({ host }, at) => {
    const [was, is] = [early, late].map((part) => median(part.map(({ bytes }) => bytes[at] ?? 0)));
    const growth = (100 * ((is ?? 0) - (was ?? 0))) / (was ?? 1);
    const mib = (bytes = 0): string => (bytes / 2 ** 20).toFixed(1);
    const value = `${mib(was)} to ${mib(is)} MiB, ${growth.toFixed(1)} %`;
    const told = tell(`resident memory of the node of ${host.name}`, value);
    const isJudged = SOAK_MS >= LONG_MS;
    return isJudged
      ? { ...told, goal: `< ${GROWTH_PERCENT} % more`, holds: growth < GROWTH_PERCENT }
      : told;
  });
}

function judgeHoldings({ nodes }: Ground, before: Holdings, after: Holdings): Figure[] {
  return Object.entries(before).map(([what, was]) => {
    const is = after[what] ?? 0;
    const limit = what === FILES ? was + KEPT_FILES * nodes.length : was;
    return { ...atMost(what, is, limit), value: `${was} before, ${is} after` };
  });
}

const readKinds = ({ nodes }: Ground): readonly FileKinds[] =>
  nodes.map((node) => readFileKinds(node.pid(), node.host.netns));

/** Which of its files a node has more or fewer of. */
function tellKinds(
  { nodes }: Ground,
  before: readonly FileKinds[],
  after: readonly FileKinds[],
): Figure[] {
  return nodes.map(({ host }, at) =>
    tell(
      `files of the node of ${host.name}`,
      compareFileKinds(before[at] ?? {}, after[at] ?? {}) || "as before",
    ),
  );
}

async function endAndStart(
  ground: Ground,
  dice: Dice,
  untilMs: number,
): Promise<readonly string[]> {
  const done: string[] = [];
  while (nowMs() < untilMs) {
    const beginMs = nowMs();
    const nemesis = pick(NEMESES, dice);
    done.push(await nemesis(ground, dice));
    process.stdout.write(`  ${new Date().toISOString().slice(11, 19)}  ${done.at(-1)}\n`);
    await sleep(Math.max(0, Math.min(EVERY_MS - (nowMs() - beginMs), untilMs - nowMs())));
  }
  return done;
}

/** Lasts FAIRLEAD_FAULT_SOAK_MS; eight hours are 28800000. */
export const soak: FaultCase = {
  name: "soak",
  rows: "R23",
  about: `something is ended and started again every ${EVERY_MS / 1_000} s for ${SOAK_MS / 1_000} s, seed ${SEED}`,
  hosts: 3,
  async run(ground) {
    const before = await readHoldings(ground);
    const kindsBefore = readKinds(ground);
    const fromMs = nowMs();
    const samples: Sample[] = [];
    const stop = new AbortController();
    const sampling = sample(ground, samples, stop.signal);
    let done: readonly string[];
    try {
      done = await endAndStart(ground, createDice(SEED), fromMs + SOAK_MS);
    } finally {
      stop.abort();
      await sampling;
    }
    await ground.rest();
    const after = await readHoldings(ground);
    const kindsAfter = readKinds(ground);
    return [
      tell("ended and started again", `${done.length} times, FAIRLEAD_FAULT_SEED=${SEED}`),
      ...judgeMemory(ground, samples, fromMs),
      ...judgeHoldings(ground, before, after),
      ...tellKinds(ground, kindsBefore, kindsAfter),
    ];
  },
};
