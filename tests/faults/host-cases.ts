// SPDX-License-Identifier: Apache-2.0
// What befalls hosts: lost, rebooted without a network, up and down, an engine that ends or hangs.
import { setTimeout as sleep } from "node:timers/promises";
import type { HostNode } from "#lab/host-node.ts";
import { until } from "#lab/rig.ts";
import { summarize } from "./call.ts";
import { atMost, tell, within, type Figure } from "./figure.ts";
import { awaitSight, nowMs, WANTED, type Ground } from "./ground.ts";
import { judgeStale } from "./judge-names.ts";
import type { FaultCase } from "./run-case.ts";

const PATIENCE_MS = 60_000;
/** How often a host goes and comes back, and how long each lasts. */
const FLAPS = Number(process.env["FAIRLEAD_FAULT_FLAPS"] ?? 10);
const FLAP_MS = Number(process.env["FAIRLEAD_FAULT_FLAP_MS"] ?? 10_000);

/** How many of a service run on hosts other than one. */
function countElsewhere({ copies }: Ground, service: string, lost: string): number {
  const { running = [] } = copies.looks.at(-1) ?? {};
  return running.filter((one) => one.service === service && one.host !== lost).length;
}

/** When the last call went to a host, milliseconds after it was lost. */
function readLastCall({ client }: Ground, host: string, cutMs: number): number {
  const sent = client.calls.filter(({ sentMs, tried }) => sentMs >= cutMs && tried.includes(host));
  return Math.max(0, ...sent.map(({ sentMs }) => sentMs - cutMs));
}

async function awaitElsewhere(
  ground: Ground,
  service: keyof typeof WANTED,
  lost: string,
  cutMs: number,
): Promise<number> {
  const all = (): boolean => countElsewhere(ground, service, lost) >= WANTED[service];
  await until(`all of ${service} run elsewhere`, PATIENCE_MS, all, 50);
  return nowMs() - cutMs;
}

/** Cuts a host off until all of it runs elsewhere. */
async function loseHost(
  ground: Ground,
  lost: HostNode,
  withSingleton: boolean,
): Promise<readonly Figure[]> {
  const { name } = lost.host;
  const others = ground.nodes.filter((node) => node !== lost);
  ground.client.setSide(others);
  const cutMs = nowMs();
  lost.host.cutOff();
  const [away, gone, web, eager, one] = await Promise.all([
    awaitSight(others, name, (state) => state !== "alive"),
    awaitSight(others, name, (state) => state === "gone"),
    awaitElsewhere(ground, "web", name, cutMs),
    awaitElsewhere(ground, "eager", name, cutMs),
    withSingleton ? awaitElsewhere(ground, "one", name, cutMs) : undefined,
  ]);
  const lastMs = readLastCall(ground, name, cutMs);
  const stale = judgeStale(ground.client.answers, name, [cutMs, nowMs()]);
  return [
    within("suspected by all", away, 1_500),
    within("last call that went there", lastMs, 1_500),
    ...stale,
    within("gone for all", gone, 6_000),
    within("eager runs elsewhere", eager, 9_000),
    within("web runs elsewhere", web, 9_000),
    ...(one === undefined
      ? []
      : [tell("the singleton runs elsewhere", `${(one / 1_000).toFixed(1)} s`)]),
  ];
}

/** The host with most of the services; of those that have as many, the one with the singleton. */
function findFullest({ nodes, copies }: Ground): HostNode {
  const { running = [] } = copies.looks.at(-1) ?? {};
  const weigh = ({ host }: HostNode): number => {
    const own = new Set(running.filter((one) => one.host === host.name).map((one) => one.service));
    return 2 * own.size + (own.has("one") ? 1 : 0);
  };
  const [fullest] = [...nodes].sort((a, b) => weigh(b) - weigh(a));
  if (fullest === undefined) throw new Error("there is no host");
  return fullest;
}

/** A host is cut off until all runs elsewhere, and comes back. */
async function loseAndRegain(
  ground: Ground,
  lost: HostNode,
  withSingleton: boolean,
): Promise<readonly Figure[]> {
  const figures = await loseHost(ground, lost, withSingleton);
  const backMs = nowMs();
  lost.host.rejoin();
  await ground.calm();
  ground.client.setSide(ground.nodes);
  const excess = (["web", "eager"] as const).map((service) => {
    const excessMs = ground.copies.excessMs(service, WANTED[service], backMs);
    return within(`${service} above what is wanted`, excessMs, 5_000);
  });
  return [...figures, ...excess];
}

const hostLost: FaultCase = {
  name: "host-lost",
  rows: "R01 R20 D04",
  about: "a host that has some of everything is cut off, and comes back when all runs elsewhere",
  hosts: 3,
  run: (ground) => loseAndRegain(ground, findFullest(ground), true),
};

/** The short form: a host without the singleton, which others wait for. */
export const hostLostBriefly: FaultCase = {
  name: "host-lost-briefly",
  rows: "R01",
  about: "the last host is cut off, and comes back when all runs elsewhere",
  hosts: 3,
  run: (ground) => loseAndRegain(ground, ground.node(ground.nodes.length), false),
};

const hostRebooted: FaultCase = {
  name: "host-rebooted-offline",
  rows: "R01 R20",
  about:
    "a host loses its network, its engine and its node, starts again offline, and is joined again",
  hosts: 3,
  async run(ground) {
    const lost = ground.node(ground.nodes.length);
    const { host } = lost;
    const others = ground.nodes.filter((node) => node !== lost);
    ground.client.setSide(others);
    const own = (): number =>
      (ground.copies.looks.at(-1)?.running ?? []).filter(
        (one) => one.host === host.name && one.service === "web",
      ).length;
    host.cutOff();
    await lost.signal("SIGKILL");
    await host.stop();
    await awaitSight(others, host.name, (state) => state === "gone");
    await host.start();
    await until("nothing runs there", PATIENCE_MS, () => own() === 0, 50);
    const startMs = nowMs();
    await lost.start();
    await until("it runs offline what it had", PATIENCE_MS, () => own() > 0, 50);
    const backMs = nowMs();
    host.rejoin();
    await ground.calm();
    ground.client.setSide(ground.nodes);
    const excessMs = ground.copies.excessMs("web", WANTED.web, backMs);
    return [
      within("it runs offline what it had", backMs - startMs, 20_000),
      within("web above what is wanted once it is back", excessMs, 8_000),
    ];
  },
};

/** How often a service was placed, by the decisions of whoever led. */
async function countMoves({ nodes }: Ground, service: string, fromMs: number): Promise<number> {
  interface Item {
    readonly act: string;
    readonly object: string;
    readonly startedAtMs: number;
  }
  // Any node lists the decisions of all.
  const body = (await nodes[0]?.ask<{ items: Item[] }>("decisions?scope=shop&limit=500"))?.body;
  const isMove = ({ act, object, startedAtMs }: Item): boolean =>
    act === "service.place" && object.endsWith(service) && startedAtMs >= fromMs;
  return body?.items.filter(isMove).length ?? 0;
}

const hostFlaps: FaultCase = {
  name: "host-flaps",
  rows: "R21",
  about: `a host goes and comes back ${FLAPS} times, every ${FLAP_MS / 1_000} s`,
  hosts: 3,
  async run(ground) {
    const lost = ground.node(ground.nodes.length);
    const others = ground.nodes.filter((node) => node !== lost);
    ground.client.setSide(others);
    const fromMs = nowMs();
    for (let flap = 0; flap < FLAPS; flap++) {
      lost.host.cutOff();
      await sleep(FLAP_MS);
      lost.host.rejoin();
      await sleep(FLAP_MS);
    }
    await ground.calm();
    ground.client.setSide(ground.nodes);
    const moves = await Promise.all(
      (["web", "eager"] as const).map(async (service) =>
        atMost(
          `times that ${service} was placed anew`,
          await countMoves(ground, service, fromMs),
          2,
        ),
      ),
    );
    return moves;
  },
};

const engineRestarted: FaultCase = {
  name: "engine-restarted",
  rows: "R12",
  about: "dockerd is killed with -9 and started again 3 s later",
  hosts: 3,
  async run(ground) {
    const { host } = ground.node(ground.nodes.length);
    const fromMs = nowMs();
    await host.kill();
    await sleep(3_000);
    await host.start();
    const startedMs = nowMs();
    await ground.calm();
    const moves = await countMoves(ground, "web", fromMs);
    return [
      within("all runs again once it is started", nowMs() - startedMs, 15_000),
      atMost("times that web was placed anew", moves, 0),
    ];
  },
};

const engineHangs: FaultCase = {
  name: "engine-hangs",
  rows: "R13",
  about: "dockerd hangs while its host lives, until what it had runs elsewhere",
  hosts: 3,
  async run(ground) {
    const sick = ground.node(ground.nodes.length);
    const { name } = sick.host;
    const others = ground.nodes.filter((node) => node !== sick);
    const fromMs = nowMs();
    sick.host.pause();
    const [web, eager] = await Promise.all([
      awaitElsewhere(ground, "web", name, fromMs),
      awaitElsewhere(ground, "eager", name, fromMs),
    ]);
    const gone = (await Promise.all(others.map((by) => by.cli("nodes")))).map((one) => one.stdout);
    sick.host.resume();
    const backMs = nowMs();
    await ground.calm();
    const excessMs = ground.copies.excessMs("web", WANTED.web, backMs);
    return [
      tell("its node is shown with", /engine[^\n]*/.exec(gone[0] ?? "")?.[0] ?? "nothing"),
      within("eager runs elsewhere", eager, 20_000),
      within("web runs elsewhere", web, 45_000),
      within("web above what is wanted once it is back", excessMs, 8_000),
    ];
  },
};

/** In the order in which they run. */
export const HOST_CASES: readonly FaultCase[] = [
  hostLost,
  hostRebooted,
  engineRestarted,
  engineHangs,
  hostFlaps,
];

/** What was seen of web while nobody should have noticed anything. */
export function judgeUnnoticed(ground: Ground, fromMs: number): Figure {
  const { availability } = summarize(ground.client.calls, "web", fromMs, nowMs());
  return {
    ...tell("web answered", `${(availability * 100).toFixed(2)} %`),
    goal: "≥ 99.9 %",
    holds: availability >= 0.999,
  };
}
