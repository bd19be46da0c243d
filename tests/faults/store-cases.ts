// SPDX-License-Identifier: Apache-2.0
// What befalls the fleet's store: each member killed in turn, all of it away and then empty.
import { setTimeout as sleep } from "node:timers/promises";
import type { NodeView } from "@fairlead/protocol/node.ts";
import { awaitAlive } from "#lab/fleet.ts";
import { until } from "#lab/rig.ts";
import { atMost, within } from "./figure.ts";
import { nowMs, STEADY, type Ground } from "./ground.ts";
import { judgeUnnoticed } from "./host-cases.ts";
import type { FaultCase } from "./run-case.ts";

const AWAY_MS = Number(process.env["FAIRLEAD_FAULT_AWAY_MS"] ?? 30_000);
const MEMBER_AWAY_MS = 4_000;
const PATIENCE_MS = 60_000;

/** Until something can be written to the store by a node: it marks itself. */
async function awaitWrite({ nodes }: Ground, at: number): Promise<number> {
  const fromMs = nowMs();
  const node = nodes[at % nodes.length];
  const words = ["cordon", "uncordon"].map((verb) => [verb, node?.host.name ?? ""]);
  for (const word of words)
    await until(
      `${word.join(" ")} is taken`,
      PATIENCE_MS,
      async () => (await node?.cli(...word))?.code === 0,
    );
  return nowMs() - fromMs;
}

function countKept(ground: Ground, before: ReadonlySet<string>): number {
  return [...ground.copies.ids(STEADY)].filter((id) => before.has(id)).length;
}

const members: FaultCase = {
  name: "etcd-members",
  rows: "R17",
  about:
    "each of the members of etcd, its leader too, is killed with -9 and started again 4 s later",
  hosts: 3,
  async run(ground) {
    const before = ground.copies.ids(STEADY);
    const fromMs = nowMs();
    const writes: number[] = [];
    for (const [at, member] of ground.fleet.etcd.members.entries()) {
      await member.signal("SIGKILL");
      writes.push(await awaitWrite(ground, at));
      await sleep(MEMBER_AWAY_MS);
      await member.start();
      await awaitAlive(ground.nodes);
    }
    return [
      within("longest until two writes of a command are taken", Math.max(...writes), 10_000),
      atMost("containers that are not the same", before.size - countKept(ground, before), 0),
      judgeUnnoticed(ground, fromMs),
    ];
  },
};

const lost: FaultCase = {
  name: "etcd-lost",
  rows: "R18",
  about: `all members are away for ${AWAY_MS / 1_000} s and come back empty`,
  hosts: 3,
  async run(ground) {
    const { nodes, fleet } = ground;
    const before = ground.copies.ids(STEADY);
    const fromMs = nowMs();
    await Promise.all(fleet.etcd.members.map((member) => member.signal("SIGKILL")));
    await sleep(AWAY_MS);
    for (const member of fleet.etcd.members) member.wipe();
    const startedMs = nowMs();
    await Promise.all(fleet.etcd.members.map((member) => member.start()));
    const backMs = nowMs();
    for (const node of nodes)
      await until(`${node.host.name} knows all again`, PATIENCE_MS, async () => {
        const { body } = await node.ask<{ items: NodeView[]; missing: string[] }>("nodes");
        const alive = body.items.filter(({ state }) => state === "alive");
        return body.missing.length === 0 && alive.length === nodes.length;
      });
    const onRollMs = nowMs() - backMs;
    // Where each instance runs is asked first, so that none moves.
    await ground.calm();
    const knownMs = nowMs();
    const last = nodes[nodes.length - 1];
    await last?.signal("SIGKILL");
    await last?.start();
    await awaitAlive(nodes);
    const joinedMs = nowMs();
    await ground.calm();
    return [
      within("etcd itself", backMs - startedMs, 10_000),
      within("all are on the roll again", onRollMs, 5_000),
      within("a node that starts anew is heard by all", joinedMs - knownMs, 10_000),
      // The singleton stops while nobody can know that no other runs.
      atMost("containers that are not the same", before.size - countKept(ground, before), 1),
      judgeUnnoticed(ground, fromMs),
    ];
  },
};

/** In the order in which they run. */
export const STORE_CASES: readonly FaultCase[] = [members, lost];
