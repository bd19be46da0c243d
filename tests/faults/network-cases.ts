// SPDX-License-Identifier: Apache-2.0
// What befalls the network between hosts: split in two, one way only, lossy.
import { setTimeout as sleep } from "node:timers/promises";
import type { HostNode } from "#lab/host-node.ts";
import type { LabHost } from "#lab/hosts.ts";
import { askSocket, until } from "#lab/rig.ts";
import { atMost, tell, within, type Figure } from "./figure.ts";
import {
  awaitSight,
  nowMs,
  readSights,
  SCOPE,
  SERVICES,
  WANTED,
  type Ground,
  STEADY,
} from "./ground.ts";
import type { FaultCase } from "./run-case.ts";
import { startClient } from "./start-client.ts";

const SPLIT_MS = Number(process.env["FAIRLEAD_FAULT_SPLIT_MS"] ?? 20_000);
/** How often a fleet is split and mended. */
const SPLITS = Number(process.env["FAIRLEAD_FAULT_SPLITS"] ?? 1);
/** The fleet's store does not answer. */
const REFUSAL = "FL0714";
const LOSS_MS = Number(process.env["FAIRLEAD_FAULT_LOSS_MS"] ?? 60_000);
const LOSS_PERCENT = 30;
const ONE_WAY_MS = 12_000;

type Ways = readonly (readonly [LabHost, LabHost])[];

const hostsOf = (nodes: readonly HostNode[]): readonly LabHost[] => nodes.map(({ host }) => host);

/** Every way from one side to the other, and back. */
function cross(one: readonly LabHost[], other: readonly LabHost[]): Ways {
  return one.flatMap((a) =>
    other.flatMap((b): Ways => [
      [a, b],
      [b, a],
    ]),
  );
}

/** How many times somebody was noted as gone since then. */
async function countGone({ nodes }: Ground, fromMs: number): Promise<number> {
  const lists = await Promise.all(
    nodes.map(({ ask }) =>
      ask<{ items: { id: string; act: string; startedAtMs: number }[] }>("decisions?limit=500"),
    ),
  );
  // Each node lists those of all that answer it.
  const all = new Map(lists.flatMap(({ body }) => body.items).map((item) => [item.id, item]));
  const gone = [...all.values()].filter(({ act }) => act === "node.gone");
  return gone.filter(({ startedAtMs }) => startedAtMs >= fromMs).length;
}

/** What a command that writes is told where nothing can be written: how long that takes as a whole, and the API alone. */
async function askRefused(node: HostNode) {
  const body = { replicas: { web: WANTED.web + 1 } };
  const askedMs = nowMs();
  const path = `scopes/${SCOPE}/replicas`;
  const { status, body: problem } = await askSocket<{ id?: string }>(node.socket, path, {
    method: "PUT",
    body,
  });
  const apiMs = nowMs() - askedMs;
  const fromMs = nowMs();
  const { code } = await node.cli("up", "-f", node.file("name: other\nservices: {}\n"));
  return { status, id: problem?.id ?? "", apiMs, code, commandMs: nowMs() - fromMs };
}

/** How long until all of them see each other. */
async function awaitAll(nodes: readonly HostNode[]): Promise<number> {
  const back = await Promise.all(
    nodes.map(({ host }) =>
      awaitSight(
        nodes.filter((node) => node.host !== host),
        host.name,
        (state) => state === "alive",
      ),
    ),
  );
  return Math.max(...back);
}

/** Once apart and together again. */
async function splitOnce(
  ground: Ground,
  withStore: readonly HostNode[],
  without: readonly HostNode[],
) {
  const { nodes, fleet } = ground;
  const [inside] = without;
  if (inside === undefined) throw new Error("nobody is on the other side");
  const cutMs = nowMs();
  fleet.lab.block(cross(hostsOf(withStore), hostsOf(without)));
  const known = await Promise.all(
    without.map(({ host }) => awaitSight(withStore, host.name, (state) => state === "gone")),
  );
  await sleep(Math.max(0, SPLIT_MS - (nowMs() - cutMs)));
  const refused = await askRefused(inside);
  const healedMs = nowMs();
  fleet.lab.block([]);
  const backMs = await awaitAll(nodes);
  await ground.calm();
  const excessMs = ground.copies.excessMs("web", WANTED.web, healedMs);
  return { cutMs, healedMs, goneMs: Math.max(...known), backMs, excessMs, refused };
}

/** p99 of a few is their longest. */
function findLongest<T>(rounds: readonly T[], read: (round: T) => number): number {
  return Math.max(...rounds.map(read));
}

/** Splits the fleet for a while, with a client on either side; then all has to be as before. */
async function split(
  ground: Ground,
  withStore: readonly HostNode[],
  without: readonly HostNode[],
): Promise<readonly Figure[]> {
  const { nodes, client } = ground;
  client.setSide(withStore);
  const netns = without[0]?.host.netns ?? "";
  const of = { netns, scope: SCOPE, services: SERVICES, rate: 20 };
  await using own = startClient({ ...of, side: without });
  await sleep(1_000);
  const rounds: Awaited<ReturnType<typeof splitOnce>>[] = [];
  for (let round = 0; round < SPLITS; round++) {
    if (round > 0) await ground.rest();
    rounds.push(await splitOnce(ground, withStore, without));
    process.stdout.write(`  all see all after ${rounds.at(-1)?.backMs.toFixed(0)} ms\n`);
  }
  client.setSide(nodes);
  const inside = rounds.flatMap(({ cutMs, healedMs }) =>
    own.calls.filter(({ service, sentMs }) => {
      return service === "web" && sentMs >= cutMs + 2_000 && sentMs < healedMs;
    }),
  );
  const good = inside.filter(({ outcome }) => outcome === "ok").length;
  const wrong = own.calls.filter(({ outcome }) => outcome === "wrong").length;
  const taken = rounds.filter(({ refused }) => refused.id !== REFUSAL || refused.code === 0);
  const backs = rounds.map(({ backMs }) => Math.round(backMs)).sort((a, b) => a - b);
  return [
    within(
      "the others are gone for the side with the store",
      findLongest(rounds, ({ goneMs }) => goneMs),
      6_000,
    ),
    tell(
      "web inside of the other side",
      `${((100 * good) / inside.length).toFixed(2)} % of ${inside.length} calls`,
    ),
    atMost("wrong answers there", wrong, 0),
    within(
      `a write is refused there with ${REFUSAL}`,
      findLongest(rounds, ({ refused }) => refused.apiMs),
      1_000,
    ),
    atMost("writes that were taken there, or refused otherwise", taken.length, 0),
    tell(
      "up there, as a command",
      `${findLongest(rounds, ({ refused }) => refused.commandMs).toFixed(0)} ms`,
    ),
    within("all see all once it is mended", backs.at(-1) ?? Number.NaN, 2_000),
    tell("of that, in the middle", `${backs[backs.length >> 1]} ms of ${rounds.length} rounds`),
    within(
      "web above what is wanted then",
      findLongest(rounds, ({ excessMs }) => excessMs),
      8_000,
    ),
  ];
}

const minority: FaultCase = {
  name: "split-minority",
  rows: "R07 R08",
  about: "the last two hosts, without any member of etcd, are split from the others",
  hosts: 5,
  run: (ground) => split(ground, ground.nodes.slice(0, -2), ground.nodes.slice(-2)),
};

const majority: FaultCase = {
  name: "split-majority",
  rows: "R07 R08",
  about: "two hosts with the majority of etcd's members are split from the three others",
  hosts: 5,
  run: (ground) => split(ground, ground.nodes.slice(0, 2), ground.nodes.slice(2)),
};

const oneWay: FaultCase = {
  name: "one-way",
  rows: "R06",
  about: "the last host is not heard by the one before it, and hears it; all others hear both",
  hosts: 3,
  async run(ground) {
    const { nodes, fleet } = ground;
    const [from, to] = [ground.node(nodes.length), ground.node(nodes.length - 1)];
    const before = ground.copies.ids(STEADY);
    const fromMs = nowMs();
    fleet.lab.block([[from.host, to.host]]);
    await sleep(ONE_WAY_MS);
    const seen = await readSights(
      nodes.filter((node) => node !== from),
      from.host.name,
    );
    fleet.lab.block([]);
    const kept = [...ground.copies.ids(STEADY)].filter((id) => before.has(id)).length;
    return [
      {
        ...tell("it is seen by all as", seen.join(", ")),
        goal: "alive",
        holds: seen.join() === "alive",
      },
      atMost("times that somebody was noted as gone", await countGone(ground, fromMs), 0),
      atMost("containers that are not the same", before.size - kept, 0),
    ];
  },
};

const mute: FaultCase = {
  name: "one-way-to-all",
  rows: "R06",
  about: "nobody hears the last host any more, while it hears all",
  hosts: 3,
  async run(ground) {
    const { nodes, fleet, client } = ground;
    const lost = ground.node(nodes.length);
    const others = nodes.filter((node) => node !== lost);
    client.setSide(others);
    fleet.lab.block(others.map(({ host }) => [lost.host, host] as const));
    const gone = await awaitSight(others, lost.host.name, (state) => state === "gone");
    await sleep(ONE_WAY_MS);
    fleet.lab.block([]);
    await ground.calm();
    client.setSide(nodes);
    return [within("gone for all", gone, 6_000)];
  },
};

const loss: FaultCase = {
  name: "loss",
  rows: "R04",
  about: `the last host loses ${LOSS_PERCENT} % of its packets either way for ${LOSS_MS / 1_000} s`,
  hosts: 3,
  async run(ground) {
    const { host } = ground.node(ground.nodes.length);
    const fromMs = nowMs();
    host.losePackets(LOSS_PERCENT);
    await sleep(LOSS_MS);
    host.losePackets(0);
    const most = ground.copies.most("web", fromMs);
    await until(
      "heard again",
      10_000,
      async () => (await readSights(ground.nodes, host.name)).join() === "alive",
    );
    return [
      atMost("times that somebody was noted as gone", await countGone(ground, fromMs), 0),
      atMost("instances of web at once", most, WANTED.web),
    ];
  },
};

/** In the order in which they run. */
export const NETWORK_CASES: readonly FaultCase[] = [oneWay, mute, minority, majority, loss];
