// SPDX-License-Identifier: Apache-2.0
// A host is cut off: when does nothing new go to it, when do all know that it is gone, when does what ran on it run
// elsewhere? Five hosts, three of them with etcd and, for Swarm, as managers; one of the other two is lost in each round,
// and the same cut is what Fairlead, Swarm and serf see.
import { setTimeout as sleep } from "node:timers/promises";
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { EngineEvent } from "#engine/engine.ts";
import { openEngineReader } from "#engine/open-reader.ts";
import { awaitAlive, readScope, startFleet, type LabFleet } from "#lab/fleet.ts";
import type { HostNode } from "#lab/host-node.ts";
import type { LabHost } from "#lab/hosts.ts";
import { IMAGE, until } from "#lab/rig.ts";
import { runProgram } from "#lab/run-program.ts";
import { OWN_LABELS } from "#model/facts.ts";
import { createSystemClock } from "#node/system-clock.ts";
import { ensurePackages } from "../scripts/setup.ts";
import type { Bench } from "./bench.ts";
import { startSerf, type Serf } from "./serf.ts";
import { watchStarts, type StartTimes } from "./watch-starts.ts";

const ROUNDS = Number(process.env["FAIRLEAD_BENCH_ROUNDS"] ?? 10);
const HOSTS = 5;
const MANAGERS = 3;
const PATIENCE_MS = 60_000;
/** Nobody is measured before the last round is over for all. */
const CALM_MS = 3_000;
const LOOK_MS = 20;
const SCOPE = "fail";
const SWARM_LABEL = "com.docker.swarm.service.name";
const service = (label: string): string =>
  `{ image: ${IMAGE}, command: ["sleep", "100000"], stop_signal: SIGKILL, labels: { ${label} },
     deploy: { placement: { constraints: ["node.labels.spare == yes"] } } }`;
const FILE = `
name: ${SCOPE}
services:
  calm: ${service('fairlead.failover: "move"')}
  eager: ${service('fairlead.failover: "eager", fairlead.place: "near=calm"')}
`;

const nowMs = (): number => performance.timeOrigin + performance.now();

interface Place {
  readonly node: HostNode;
  readonly host: LabHost;
  readonly starts: StartTimes;
}

function docker(host: LabHost, ...args: string[]): string {
  return runProgram("docker", ["-H", host.endpoint, ...args]).trim();
}

/** Where an instance of Fairlead's stands. */
async function findHolder(places: readonly Place[], name: string): Promise<Place> {
  const [first] = places;
  const view = first === undefined ? undefined : await readScope(first.node, SCOPE);
  const node = view?.services.find((one) => one.name === name)?.instances[0]?.node;
  const found = places.find(({ host }) => host.name === node);
  if (found === undefined) throw new Error(`${name} runs nowhere`);
  return found;
}

const listSwarm = (host: LabHost): string =>
  docker(host, "ps", "-q", "--filter", `label=${SWARM_LABEL}=swarm`);

/** A Swarm of the same engines, with one task on `first`, which moves between the same two hosts as Fairlead's. */
async function prepareSwarm(places: readonly Place[], first: Place): Promise<void> {
  const [leader] = places;
  if (leader === undefined) return;
  docker(leader.host, "swarm", "init", "--advertise-addr", leader.host.ip);
  for (const [index, { host }] of places.slice(1).entries()) {
    const role = index + 1 < MANAGERS ? "manager" : "worker";
    const token = docker(leader.host, "swarm", "join-token", "-q", role);
    docker(host, "swarm", "join", "--advertise-addr", host.ip, "--token", token, leader.host.ip);
  }
  const spare = places.slice(MANAGERS);
  const idOf = ({ host }: Place): string => docker(host, "info", "-f", "{{.Swarm.NodeID}}");
  const setDrain = (how: "drain" | "active"): void => {
    for (const place of spare)
      if (place !== first)
        docker(leader.host, "node", "update", "--availability", how, idOf(place));
  };
  for (const place of spare)
    docker(leader.host, "node", "update", "--label-add", "spare=yes", idOf(place));
  setDrain("drain");
  const only = ["--constraint", "node.labels.spare==yes", "--restart-delay", "0s"];
  const name = ["--detach", "--name", "swarm", "--no-resolve-image", "--stop-signal", "SIGKILL"];
  docker(leader.host, "service", "create", ...name, ...only, IMAGE, "sleep", "100000");
  await until("Swarm's task", PATIENCE_MS, () => listSwarm(first.host) !== "", 200);
  setDrain("active");
}

/** Until `isIt` holds for how a node sees the lost one; milliseconds after `fromMs`. */
async function awaitSight(
  { node }: Place,
  lost: Place,
  fromMs: number,
  isIt: (view: NodeView) => boolean,
): Promise<number> {
  let seenMs = Number.NaN;
  await until(
    `${node.host.name} sees it`,
    PATIENCE_MS,
    async () => {
      const { body } = await node.ask<{ items: readonly NodeView[] }>("nodes");
      seenMs = nowMs();
      const view = body.items.find(({ name }) => name === lost.host.name);
      return view !== undefined && isIt(view);
    },
    LOOK_MS,
  );
  return seenMs - fromMs;
}

async function runRound(
  places: readonly Place[],
  serf: Serf,
  put: (metric: string, subject: string, value: number) => void,
): Promise<void> {
  const lost = await findHolder(places, "calm");
  const other = places.slice(MANAGERS).find((place) => place !== lost);
  if (other === undefined) throw new Error("there is no other host");
  const survivors = places.filter((place) => place !== lost);
  const isOf =
    (name: string) =>
    ({ attributes }: EngineEvent): boolean =>
      attributes[OWN_LABELS.scope] === SCOPE && attributes[OWN_LABELS.service] === name;
  const isTask = ({ attributes }: EngineEvent): boolean => attributes[SWARM_LABEL] === "swarm";
  const cutMs = nowMs();
  lost.host.cutOff();
  const see = (isIt: (view: NodeView) => boolean) =>
    Promise.all(survivors.map((place) => awaitSight(place, lost, cutMs, isIt)));
  const start = async (isIt: (event: EngineEvent) => boolean): Promise<number> =>
    (await other.starts.next(cutMs, isIt)) - cutMs;
  const [away, gone, calm, eager, swarm, known] = await Promise.all([
    see(({ state }) => state !== "alive"),
    see(({ state }) => state === "gone"),
    start(isOf("calm")),
    start(isOf("eager")),
    start(isTask),
    serf.awaitFailed(lost.host.name, cutMs),
  ]);
  put("route_away_ms", "fairlead", Math.max(...away));
  put("host_loss_to_known_ms", "fairlead", Math.max(...gone));
  put("host_loss_to_known_ms", "serf", known - cutMs);
  put("host_loss_to_running_ms", "fairlead", calm);
  put("host_loss_to_running_ms", "swarm", swarm);
  put("host_loss_to_running_eager_ms", "fairlead", eager);
  const backMs = nowMs();
  lost.host.rejoin();
  const label = `label=${OWN_LABELS.scope}=${SCOPE}`;
  const isFolded = (): boolean => docker(lost.host, "ps", "-q", "--filter", label) === "";
  await until("the doubles are folded", PATIENCE_MS, isFolded, 50);
  put("return_to_folded_ms", "fairlead", nowMs() - backMs);
  await until("Swarm's double is folded", PATIENCE_MS, () => listSwarm(lost.host) === "", 200);
  await serf.awaitAlive(lost.host.name);
  await awaitAlive(places.map(({ node }) => node));
  await sleep(CALM_MS);
}

function watchPlaces(fleet: LabFleet, stack: AsyncDisposableStack): readonly Place[] {
  const parts = { clock: createSystemClock(), random: Math.random };
  return fleet.nodes.map((node) => {
    const { host } = node;
    const reader = stack.use(openEngineReader({ endpoint: host.endpoint, env: {} }, parts));
    return { node, host, starts: stack.use(watchStarts(reader)) };
  });
}

export const failover: Bench = {
  name: "failover",
  about: "a host is cut off: when nothing goes to it, when all runs elsewhere; Swarm, serf",
  async run({ say, sample }) {
    ensurePackages([{ program: "serf", package: "serf" }]);
    await using stack = new AsyncDisposableStack();
    say(`${HOSTS} hosts`);
    const spare = { FAIRLEAD_NODE_LABELS: "spare=yes" };
    const settings = (index: number) => (index < MANAGERS ? {} : spare);
    const fleet = stack.use(await startFleet({ hosts: HOSTS, settings }));
    const places = watchPlaces(fleet, stack);
    const [first] = places;
    if (first === undefined) return;
    const up = await first.node.cli("up", "-f", first.node.file(FILE), "--timeout", "60s");
    if (up.code !== 0) throw new Error(up.stdout + up.stderr);
    await prepareSwarm(places, await findHolder(places, "calm"));
    const serf = stack.use(await startSerf(fleet.lab.hosts));
    for (let round = 1; round <= ROUNDS; round++) {
      say(`round ${round} of ${ROUNDS}`);
      await runRound(places, serf, (metric, subject, value) =>
        sample({ metric, unit: "ms", subject, value }),
      );
    }
  },
};
