// SPDX-License-Identifier: Apache-2.0
// What befalls the simulated fleet: one fault a step, by chance.
import type { NodeAction } from "@fairlead/protocol/node.ts";
import type { Life } from "./life.ts";
import type { SimHost } from "./sim-host.ts";
import { STORE } from "./sim-network.ts";
import type { World } from "./world.ts";

const ACTIONS: readonly NodeAction[] = ["cordon", "drain", "uncordon"];

type Fault = (world: World, pick: (max: number) => number) => string;

const hostOf = ({ hosts }: World, number: number): SimHost => {
  const host = hosts[number % hosts.length];
  if (host === undefined) throw new Error("a world without hosts");
  return host;
};

/** Lets a node stand still, or stand still for longer: what waits for its end is not called back. */
function stand({ timeline }: World, life: Life, forMs: number): void {
  life.pausedUntilMs = Math.max(life.pausedUntilMs, timeline.nowMs + forMs);
}

/** Each says what it did, for the trace. */
const FAULTS: readonly Fault[] = [
  () => "nothing",
  (world) => {
    world.mend();
    return "all is mended";
  },
  (world, pick) => {
    const { id, node } = hostOf(world, pick(100));
    const forMs = 500 + pick(8_000);
    if (node === undefined) return `${id} is down and cannot pause`;
    stand(world, node.life, forMs);
    return `${id} stands still for ${forMs} ms`;
  },
  (world, pick) => {
    const host = hostOf(world, pick(100));
    if (host.node === undefined) host.start();
    else host.crash();
    return `${host.id} ${host.node === undefined ? "crashes" : "starts"}`;
  },
  (world) => {
    for (const host of world.hosts) if (host.node === undefined) host.start();
    return "all that are down start";
  },
  (world, pick) => {
    const host = hostOf(world, pick(100));
    if (host.node === undefined) host.start();
    else host.kill();
    return `the node of ${host.id} ${host.node === undefined ? "is killed" : "starts"}`;
  },
  (world, pick) => {
    const host = hostOf(world, pick(100));
    const failed = host.engine.failOne();
    return failed === undefined ? "nothing" : `${failed} of ${host.id} fails`;
  },
  (world, pick) => {
    const host = hostOf(world, pick(100));
    host.engine.restart();
    return `the engine of ${host.id} starts anew`;
  },
  (world, pick) => {
    const host = hostOf(world, pick(100));
    host.disk.delayMsMax = 2 + pick(3_000);
    return `the disk of ${host.id} takes up to ${host.disk.delayMsMax} ms`;
  },
  (world, pick) => {
    const { id } = hostOf(world, pick(100));
    const action = ACTIONS[pick(ACTIONS.length)] ?? "uncordon";
    world.mark(id, action);
    return `${action} ${id}`;
  },
  (world) => {
    world.wipe();
    return "the store loses everything";
  },
  (world, pick) => {
    const sides = world.hosts.map(({ id }) => ({ id, left: pick(2) === 0 }));
    const storeLeft = pick(2) === 0;
    for (const a of sides) {
      for (const b of sides) if (a.left && !b.left) world.cut(a.id, b.id);
      if (a.left !== storeLeft) world.cut(a.id, STORE);
    }
    const left = sides.filter((side) => side.left).map(({ id }) => id);
    return `${left.join(", ")} apart from the others, the store ${storeLeft ? "with them" : "there"}`;
  },
  (world, pick) => {
    const [a, b] = [hostOf(world, pick(100)), hostOf(world, pick(100))];
    if (a === b) return "nothing";
    world.cut(a.id, b.id, true);
    return `${a.id} is not heard by ${b.id}`;
  },
  (world, pick) => {
    const { id } = hostOf(world, pick(100));
    for (const other of world.hosts) if (other.id !== id) world.cut(id, other.id);
    const withStore = pick(2) === 0;
    if (withStore) world.cut(id, STORE);
    return `${id} is cut off from all${withStore ? " and the store" : ""}`;
  },
  (world, pick) => {
    const { id } = hostOf(world, pick(100));
    const answers = pick(2) === 0;
    if (answers) world.cut(STORE, id, true);
    else world.cut(id, STORE);
    return answers ? `the store's answers do not reach ${id}` : `${id} does not reach the store`;
  },
  (world) => {
    world.health.away = !world.health.away;
    return `the store ${world.health.away ? "is away" : "is back"}`;
  },
  (world, pick) => {
    world.health.delayMsMax = pick(2_000);
    return `the store takes up to ${world.health.delayMsMax} ms each way`;
  },
  (world, pick) => {
    world.network.loss = pick(40) / 100;
    world.network.delayMsMax = 2 + pick(300);
    return `datagrams: ${world.network.loss} lost, up to ${world.network.delayMsMax} ms`;
  },
  (world, pick) => {
    const replicas = 1 + pick(6);
    void world.want(replicas);
    return `${replicas} of web are wanted`;
  },
  // What a leader writes late is what fencing is for: it stands still for longer than its lease in the middle of it.
  (world, pick) => {
    const { timeline, hosts } = world;
    const leader = hosts.find(({ id, node }) => node?.services?.leader() === id);
    world.health.delayMsMax = 500;
    void world.want(1 + pick(6));
    timeline.at(timeline.nowMs + 100 + pick(900), () => {
      if (leader?.node !== undefined) stand(world, leader.node.life, 14_000);
    });
    return `${leader?.id ?? "nobody"} leads, and stands still for 14000 ms in the middle of it`;
  },
  (world, pick) => {
    const host = hostOf(world, pick(100));
    const byMs = (pick(2) === 0 ? -1 : 1) * (1_000 + pick(3_600_000));
    host.jumpClock(byMs);
    return `the clock of ${host.id} jumps by ${byMs} ms`;
  },
];

/** Does one of them; what it was, in words. */
export function doFault(world: World): string {
  const pick = (max: number): number => Math.floor(world.random() * max);
  const fault = FAULTS[pick(FAULTS.length)];
  return fault === undefined ? "nothing" : fault(world, pick);
}
