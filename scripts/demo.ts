// SPDX-License-Identifier: Apache-2.0
// `npm run demo`: an engine, images made here, the pipeline of examples/, one fault every 40 s, each heal with its
// reason; then everything is removed and that is proved. `--once` runs about a minute and exits 0 only if all healed.
// `--hosts 3`: a fleet, and a host that dies.
import { request } from "node:http";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { ScopeView } from "@fairlead/protocol/views.ts";
import { formatDuration } from "#base/duration.ts";
import { createLedger, type Ledger } from "#lab/ledger.ts";
import { BASE_IMAGE, packNodeRoot } from "#lab/node-root.ts";
import { createSystemClock } from "#node/system-clock.ts";
import { FAULTS, type Fault } from "./demo/faults.ts";
import { findEngine, type DemoEngine } from "./demo/find-engine.ts";
import {
  DEMOS,
  engineDirectory,
  type Left,
  listLeft,
  SCOPE,
  socketOf,
  sweepDemos,
  tellLeft,
  writeRecord,
} from "./demo/leftovers.ts";
import { playFleet } from "./demo/play-fleet.ts";
import { runCommand, say, tellDecision } from "./demo/run-command.ts";
import { runScript } from "./run-script.ts";
import { ENGINE_NEEDS, ensurePackages, ensureWeb, ROOT } from "./setup.ts";

const AGENT_IMAGE = "fairlead-example/agent:1";
const EVERY_MS = 40_000;
const ONCE_MS = 4_000;
const HEAL_MAX_MS = 60_000;
/** Each has an engine: more are no better to look at. */
const HOSTS_MAX = 9;
const SETTLE_MAX_MS = 120_000;

const clock = createSystemClock();

/** What the demo has made, in the order of making. */
interface Stage {
  readonly demo: DemoEngine;
  /** By which the next demo finds what this one made, if it is killed. */
  readonly ledger: Ledger;
  readonly socket: string;
  readonly env: NodeJS.ProcessEnv;
  readonly madeImages: readonly string[];
}

const runCli = (stage: Stage, args: readonly string[], signal: AbortSignal): Promise<number> =>
  runCommand(stage.env, args, signal);

function ask<T>(socketPath: string, path: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path: `/v1/${path}`, timeout: 5_000 }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve(JSON.parse(text) as T));
    });
    sent.on("timeout", () => sent.destroy(new Error("the node did not answer")));
    sent.on("error", reject).end();
  });
}

async function makeBaseImage({ engine }: DemoEngine): Promise<void> {
  const beganMs = clock.monotonicMs();
  await engine.importImage(packNodeRoot(), {
    decision: "demo-setup",
    reference: BASE_IMAGE,
    changes: ['CMD ["/usr/local/bin/node"]', "ENV PATH=/usr/local/bin"],
  });
  say(
    `made      image ${BASE_IMAGE} from this Node, without a registry (${formatDuration(clock.monotonicMs() - beganMs)})`,
  );
}

const readScope = (stage: Stage): Promise<ScopeView> =>
  ask<ScopeView>(stage.socket, `scopes/${SCOPE}`);

async function awaitSettled(stage: Stage, maxMs: number, signal: AbortSignal): Promise<boolean> {
  const giveUpMs = clock.monotonicMs() + maxMs;
  while (clock.monotonicMs() < giveUpMs && !signal.aborted) {
    const view = await readScope(stage);
    const all = view.services.every((service) => service.healthy === service.wanted);
    if (view.settled && all) return true;
    await clock.sleep(100, signal).catch(() => undefined);
  }
  return false;
}

async function listDecisions(stage: Stage, sinceMs: number): Promise<readonly Decision[]> {
  const answer = await ask<{ items: Decision[] }>(
    stage.socket,
    `decisions?scope=${SCOPE}&limit=50`,
  );
  return answer.items.filter((decision) => decision.startedAtMs >= sinceMs).reverse();
}

/** Inflicts one fault and follows it to its end. */
async function playFault(stage: Stage, fault: Fault, signal: AbortSignal): Promise<boolean> {
  const instances = await stage.demo.engine.listInstances();
  const instance = instances.find(
    (i) => i.scope === SCOPE && i.service === fault.service && i.state === "running",
  );
  if (instance === undefined) return false;
  say(`\nfault     ${fault.says}`);
  const sinceMs = clock.nowMs();
  const beganMs = clock.monotonicMs();
  await fault.inflict(stage.demo.engine, instance);
  while (!signal.aborted && clock.monotonicMs() - beganMs < HEAL_MAX_MS) {
    const done = (await listDecisions(stage, sinceMs)).some(
      (d) => d.service === fault.service && d.outcome === "done",
    );
    if (done) break;
    await clock.sleep(50, signal).catch(() => undefined);
  }
  const healed = await awaitSettled(stage, HEAL_MAX_MS, signal);
  const tookMs = clock.monotonicMs() - beganMs;
  for (const decision of await listDecisions(stage, sinceMs)) tellDecision(decision);
  say(
    healed
      ? `healed    everything is healthy again after ${formatDuration(tookMs)}`
      : `not healed after ${formatDuration(tookMs)}`,
  );
  return healed;
}

/** Removes everything and looks at what is left, which has to be nothing. What fails does not keep the rest from going. */
async function tidyUp(stage: Stage): Promise<boolean> {
  say("\nremoving  everything that the demo made");
  const { demo, madeImages } = stage;
  const never = new AbortController().signal;
  let left: Left | undefined;
  try {
    await runCli(stage, ["down", "--scope", SCOPE, "-v", "--progress", "quiet"], never);
    await runCli(stage, ["node", "stop"], never);
    for (const image of madeImages)
      await demo.engine.removeImage(image, { decision: "demo-removal", force: true });
    left = await listLeft(demo.engine, madeImages);
  } finally {
    await demo[Symbol.asyncDispose]();
    stage.ledger.clear();
  }
  say(`proof     ${tellLeft(left)} left${demo.isPrivate ? "; the private engine is gone" : ""}`);
  return Object.values(left).every((names) => names.length === 0);
}

/** What fails here takes with it what was made before. */
async function openStage(ledger: Ledger): Promise<Stage> {
  let demo: DemoEngine | undefined;
  try {
    const directory = engineDirectory(ledger.directory);
    demo = await findEngine({ clock, random: Math.random, directory });
    return await furnish(demo, ledger);
  } catch (error) {
    await demo?.[Symbol.asyncDispose]();
    ledger.clear();
    throw error;
  }
}

async function furnish(demo: DemoEngine, ledger: Ledger): Promise<Stage> {
  const info = await demo.engine.info();
  say(
    `engine    Docker Engine ${info.version} at ${demo.endpoint}${demo.isPrivate ? " (private, started for this demo)" : ""}`,
  );
  const socket = socketOf(ledger.directory);
  const env = {
    ...process.env,
    FAIRLEAD_STATE_DIR: join(ledger.directory, "state"),
    FAIRLEAD_SOCKET: socket,
    FAIRLEAD_ENGINE_ENDPOINT: demo.endpoint,
  };
  const there = new Set((await demo.engine.listImages()).flatMap((image) => image.tags));
  const madeImages = [AGENT_IMAGE, BASE_IMAGE].filter((image) => !there.has(image));
  writeRecord(ledger.directory, { ...demo, images: madeImages });
  if (madeImages.includes(BASE_IMAGE)) await makeBaseImage(demo);
  return { demo, ledger, socket, env, madeImages };
}

interface Score {
  played: number;
  healed: number;
}

async function play(stage: Stage, once: boolean, signal: AbortSignal, score: Score): Promise<void> {
  if (signal.aborted) return;
  const up = [
    "up",
    "-f",
    `${ROOT}examples/pipeline/compose.yaml`,
    "-p",
    SCOPE,
    "--timeout",
    "120s",
  ];
  const code = await runCli(stage, up, signal);
  if (code !== 0) throw new Error(`fairlead up ended with ${code}`);
  await awaitSettled(stage, SETTLE_MAX_MS, signal);
  await runCli(stage, ["ps", "--scope", SCOPE], signal);
  await runCli(stage, ["ui", "--show-url"], signal);
  for (let round = 0; !signal.aborted; round++) {
    const fault = FAULTS[round % FAULTS.length];
    if (fault === undefined || (once && round >= FAULTS.length)) return;
    if (!once)
      say(
        `\nnext      a fault in ${EVERY_MS / 1_000} s; Ctrl-C ends the demo and removes everything`,
      );
    await clock.sleep(once ? ONCE_MS : EVERY_MS, signal).catch(() => undefined);
    if (signal.aborted) return;
    score.played++;
    if (await playFault(stage, fault, signal)) score.healed++;
  }
}

/** The demo on one host. */
async function playHost(once: boolean, signal: AbortSignal): Promise<number> {
  const beganMs = clock.monotonicMs();
  ensurePackages(ENGINE_NEEDS);
  ensureWeb();
  await sweepDemos({ clock, random: Math.random, say });
  const stage = await openStage(createLedger(DEMOS));
  const score: Score = { played: 0, healed: 0 };
  let problem: string | undefined;
  try {
    await play(stage, once, signal, score);
  } catch (error) {
    if (!signal.aborted) problem = error instanceof Error ? error.message : String(error);
  }
  const clean = await tidyUp(stage).catch((error: unknown) => {
    problem ??= error instanceof Error ? error.message : String(error);
    return false;
  });
  say(
    `summary   ${score.healed} of ${score.played} faults healed, ${clean ? "nothing left" : "something is left"}, ${formatDuration(clock.monotonicMs() - beganMs)}`,
  );
  if (problem !== undefined) process.stderr.write(`error: ${problem}\n`);
  const all = once ? score.played === FAULTS.length : true;
  return problem === undefined && clean && all && score.healed === score.played ? 0 : 1;
}

const USAGE = `usage: npm run demo [-- [--once] [--hosts N]]

  --once     each fault once, in about a minute; ends with 0 when all were healed and nothing is left
  --hosts N  a fleet of that many hosts (3 to ${HOSTS_MAX}), of which one dies`;

interface Words {
  readonly once: boolean;
  readonly hosts: number;
}

function readWords(words: readonly string[]): Words {
  const { values } = parseArgs({
    args: [...words],
    options: {
      once: { type: "boolean", default: false },
      hosts: { type: "string", default: "1" },
    },
  });
  const hosts = Number(values.hosts);
  if (Number.isInteger(hosts) && hosts >= 1 && hosts !== 2 && hosts <= HOSTS_MAX)
    return { once: values.once, hosts };
  throw new TypeError(`--hosts takes 1, or 3 to ${HOSTS_MAX}`);
}

function run({ once, hosts }: Words): Promise<number> {
  const stopping = new AbortController();
  const { signal } = stopping;
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => stopping.abort());
  if (hosts === 1) return playHost(once, signal);
  return playFleet({ once, hosts, signal, everyMs: EVERY_MS });
}

process.exit(await runScript(process.argv.slice(2), { usage: () => USAGE, read: readWords, run }));
