// SPDX-License-Identifier: Apache-2.0
// What befalls nodes: the leader killed, one paused, starved, without room, with a clock that jumps.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { NodeView } from "@fairlead/protocol/node.ts";
import { awaitAlive } from "#lab/fleet.ts";
import { until } from "#lab/rig.ts";
import { runProgram } from "#lab/run-program.ts";
import { atMost, tell, within } from "./figure.ts";
import { awaitSight, nowMs, STEADY, type Ground } from "./ground.ts";
import { judgeUnnoticed } from "./host-cases.ts";
import type { FaultCase } from "./run-case.ts";

const PAUSES = Number(process.env["FAIRLEAD_FAULT_PAUSES"] ?? 20);
const STARVED_MS = Number(process.env["FAIRLEAD_FAULT_STARVED_MS"] ?? 60_000);
const PATIENCE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Preloaded, so that what a program reads of the wall clock can be told to it. */
const MACHINE = process.arch === "arm64" ? "aarch64" : "x86_64";
const FAKETIME = `/usr/lib/${MACHINE}-linux-gnu/faketime/libfaketime.so.1`;

/** Decisions of all nodes of an act since then. */
async function countActs({ nodes }: Ground, isIt: (act: string) => boolean, fromMs: number) {
  const lists = await Promise.all(
    nodes.map(({ ask }) =>
      ask<{ items: { id: string; act: string; startedAtMs: number }[] }>("decisions?limit=500"),
    ),
  );
  // Each node lists those of all that answer it.
  const all = new Map(lists.flatMap(({ body }) => body.items).map((item) => [item.id, item]));
  const found = [...all.values()].filter(({ act }) => isIt(act));
  return found.filter(({ startedAtMs }) => startedAtMs >= fromMs).length;
}

const isGone = (act: string): boolean => act === "node.gone";

const leaderKilled: FaultCase = {
  name: "leader-killed",
  rows: "R02",
  about: "the node that leads is killed with -9, and started again once another leads",
  hosts: 3,
  async run(ground) {
    const { nodes } = ground;
    const read = async (): Promise<readonly NodeView[]> => {
      const all = await Promise.all(
        nodes.map(({ ask }) => ask<{ items: NodeView[] }>("nodes").catch(() => undefined)),
      );
      return all.flatMap((one) => one?.body.items.filter(({ leader }) => leader === true) ?? []);
    };
    const name = (await read())[0]?.name;
    const leader = nodes.find(({ host }) => host.name === name);
    if (leader === undefined) throw new Error("nobody leads");
    const others = nodes.filter((node) => node !== leader);
    ground.client.setSide(others);
    const fromMs = nowMs();
    await leader.signal("SIGKILL");
    await until("another leads", PATIENCE_MS, async () => {
      const known = await read();
      return known.length === others.length && known.every((one) => one.name !== name);
    });
    const ledMs = nowMs() - fromMs;
    await leader.start();
    await ground.calm();
    ground.client.setSide(nodes);
    return [within("another leads", ledMs, 7_000), judgeUnnoticed(ground, fromMs)];
  },
};

const paused: FaultCase = {
  name: "node-paused",
  rows: "R03",
  about: `a node is paused for 1 to 5 s, ${PAUSES} times`,
  hosts: 3,
  async run(ground) {
    const { nodes } = ground;
    const before = ground.copies.ids(STEADY);
    const fromMs = nowMs();
    const back: number[] = [];
    for (let at = 0; at < PAUSES; at++) {
      const node = ground.node(1 + (at % nodes.length));
      const others = nodes.filter((one) => one !== node);
      ground.client.setSide(others);
      await node.signal("SIGSTOP");
      await sleep(1_000 * (1 + (at % 5)));
      await node.signal("SIGCONT");
      back.push(await awaitSight(others, node.host.name, (state) => state === "alive"));
      await sleep(1_000);
    }
    ground.client.setSide(nodes);
    const kept = [...ground.copies.ids(STEADY)].filter((id) => before.has(id)).length;
    return [
      atMost("times that somebody was noted as gone", await countActs(ground, isGone, fromMs), 0),
      within("longest until it is alive again for all", Math.max(...back), 1_000),
      atMost("containers that are not the same", before.size - kept, 0),
    ];
  },
};

const starved: FaultCase = {
  name: "starved",
  rows: "R05",
  about: `four programs for each core take all time for ${STARVED_MS / 1_000} s`,
  hosts: 3,
  async run(ground) {
    const before = ground.copies.ids(STEADY);
    const fromMs = nowMs();
    const loops = Array.from({ length: 4 * cpus().length }, () =>
      spawn(process.execPath, ["-e", "for(;;);"], { stdio: "ignore" }),
    );
    try {
      await sleep(STARVED_MS);
    } finally {
      for (const loop of loops) {
        const ended = once(loop, "exit");
        loop.kill("SIGKILL");
        await ended;
      }
    }
    const kept = [...ground.copies.ids(STEADY)].filter((id) => before.has(id)).length;
    return [
      atMost("times that somebody was noted as gone", await countActs(ground, isGone, fromMs), 0),
      atMost("containers that are not the same", before.size - kept, 0),
    ];
  },
};

const diskFull: FaultCase = {
  name: "disk-full",
  rows: "R14",
  about:
    "the disk on which the last node keeps its state is full, an instance of it dies; then there is room again",
  hosts: 3,
  async run(ground) {
    const node = ground.node(ground.nodes.length);
    ground.disk.fill();
    const { running = [] } = ground.copies.looks.at(-1) ?? {};
    const victim = running.find(
      ({ host, service }) => host === node.host.name && service === "web",
    );
    if (victim === undefined) throw new Error("it runs nothing");
    runProgram("docker", ["-H", node.host.endpoint, "kill", victim.id]);
    const killedMs = nowMs();
    const isHealed = (): boolean => {
      const { atMs, running: now } = ground.copies.looks.at(-1) ?? { atMs: 0, running: [] };
      return atMs > killedMs && now.length === running.length;
    };
    await until("it runs again", PATIENCE_MS, isHealed, 50);
    const healedMs = nowMs() - killedMs;
    const status = await node.cli("status");
    ground.disk.free();
    const freedMs = nowMs();
    await until(
      "it says nothing any more",
      PATIENCE_MS,
      async () => !/StoreFull|full/i.test((await node.cli("status")).stdout),
    );
    return [
      within("healed all the same", healedMs, 10_000),
      tell("status says", /[^\n]*full[^\n]*/i.exec(status.stdout)?.[0].trim() ?? "nothing"),
      within("writes again once there is room", nowMs() - freedMs, 5_000),
    ];
  },
};

const clockJumps: FaultCase = {
  name: "clock-jumps",
  rows: "R19",
  about: "the wall clock of the last host's node is an hour ahead, then an hour behind",
  hosts: 3,
  async run(ground) {
    const { nodes } = ground;
    const node = ground.node(nodes.length);
    const others = nodes.filter((one) => one !== node);
    const file = join(ground.disk.path, "clock");
    const turn = (hours: string): void => writeFileSync(file, `${hours}\n`);
    turn("+0h");
    const env = {
      LD_PRELOAD: FAKETIME,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      FAKETIME_DONT_RESET: "1",
    };
    await node.signal("SIGTERM");
    await node.start(env);
    await awaitAlive(nodes);
    const before = ground.copies.ids(STEADY);
    const fromMs = nowMs();
    const skews: string[] = [];
    for (const [hours, signMs] of [
      ["+1h", HOUR_MS],
      ["-1h", -HOUR_MS],
    ] as const) {
      turn(hours);
      await until(`others see that its clock is ${hours}`, PATIENCE_MS, async () => {
        const { body } = await (others[0] ?? node).ask<{ items: NodeView[] }>("nodes");
        const skewMs = body.items.find(({ name }) => name === node.host.name)?.skewMs ?? 0;
        return Math.abs(skewMs - signMs) < 60_000;
      });
      const listed = await (others[0] ?? node).cli("nodes");
      skews.push(
        /h ahead|h behind|[\dhm.s]+ (?:ahead|behind)/.exec(listed.stdout)?.[0] ?? "nothing",
      );
      await sleep(6_000);
    }
    const gone = await countActs(ground, isGone, fromMs);
    const kept = [...ground.copies.ids(STEADY)].filter((id) => before.has(id)).length;
    await node.signal("SIGTERM");
    await node.start();
    await awaitAlive(nodes);
    return [
      tell("nodes says", skews.join(", then ")),
      atMost("times that somebody was noted as gone", gone, 0),
      atMost("containers that are not the same", before.size - kept, 0),
      judgeUnnoticed(ground, fromMs),
    ];
  },
};

/** In the order in which they run. */
export const NODE_CASES: readonly FaultCase[] = [
  leaderKilled,
  paused,
  diskFull,
  clockJumps,
  starved,
];
