// SPDX-License-Identifier: Apache-2.0
// A host that runs many instances dies: all of them run on the others, and only once when it is back.
import type { HostNode } from "#lab/host-node.ts";
import { IMAGE, until } from "#lab/rig.ts";
import { atMost, tell, within, type Figure } from "./figure.ts";
import { awaitSight, nowMs, type Ground } from "./ground.ts";
import type { FaultCase } from "./run-case.ts";
import { watchCopies, type Copies } from "./watch-copies.ts";

const MANY = Number(process.env["FAIRLEAD_FAULT_MANY"] ?? 20);
const SCOPE = "many";
const SERVICE = "tiny";
const PATIENCE_MS = 90_000;
const FILE = `
name: ${SCOPE}
services:
  ${SERVICE}:
    image: ${IMAGE}
    command: ["sleep", "100000"]
    init: true
    stop_grace_period: 1s
    deploy: { replicas: ${MANY} }
`;

async function mark(by: HostNode, verb: string, nodes: readonly HostNode[]): Promise<void> {
  const said = await Promise.all(nodes.map(({ host }) => by.cli(verb, host.name)));
  const failed = said.find(({ code }) => code !== 0);
  if (failed !== undefined) throw new Error(failed.stdout + failed.stderr);
}

/** How many run on hosts of which this is true. */
function count({ looks }: Copies, isIt: (host: string) => boolean): number {
  return (looks.at(-1)?.running ?? []).filter(({ host }) => isIt(host)).length;
}

/** All of them on one host: the others take nothing until they are told to. */
async function fill(ground: Ground, full: HostNode, copies: Copies): Promise<void> {
  const others = ground.nodes.filter((node) => node !== full);
  await mark(full, "cordon", others);
  const up = await full.cli("up", "-f", full.file(FILE), "--timeout", "90s");
  if (up.code !== 0) throw new Error(up.stdout + up.stderr);
  const { name } = full.host;
  await until(
    "all run on one host",
    PATIENCE_MS,
    () => count(copies, (host) => host === name) === MANY,
  );
}

/** Cuts it off; returns when it was gone for the first and for the last of the others, and when all ran there. */
async function lose(ground: Ground, full: HostNode, copies: Copies): Promise<readonly Figure[]> {
  const { name } = full.host;
  const [leader] = ground.nodes;
  const others = ground.nodes.filter((node) => node !== full);
  ground.client.setSide(others);
  const cutMs = nowMs();
  full.host.cutOff();
  await awaitSight(others, name, (state) => state !== "alive");
  // While somebody is suspected nothing is spread anew.
  await mark(leader ?? full, "uncordon", others);
  const isElsewhere = (): boolean => count(copies, (host) => host !== name) >= MANY;
  const [gone, elsewhereMs] = await Promise.all([
    Promise.all(
      others.map(async (by) => {
        await awaitSight([by], name, (state) => state === "gone");
        return nowMs() - cutMs;
      }),
    ),
    until(`all ${MANY} run elsewhere`, PATIENCE_MS, isElsewhere, 20).then(() => nowMs() - cutMs),
  ]);
  const firstMs = Math.min(...gone);
  return [
    within("gone for all", Math.max(...gone), 6_000),
    within(`all ${MANY} run elsewhere once it is gone`, elsewhereMs - firstMs, 3_000),
    tell("and since it was cut off", `${(elsewhereMs / 1_000).toFixed(2)} s`),
  ];
}

/** With 20 instances or FAIRLEAD_FAULT_MANY. */
export const fullHostLost: FaultCase = {
  name: "full-host-lost",
  rows: "R20",
  about: `a host that runs ${MANY} instances besides is cut off, and comes back when all run elsewhere`,
  hosts: 3,
  async run(ground) {
    await using copies = watchCopies(ground.hosts, SCOPE);
    const full = ground.node(ground.nodes.length);
    await fill(ground, full, copies);
    const lost = await lose(ground, full, copies);
    const backMs = nowMs();
    full.host.rejoin();
    await ground.calm();
    ground.client.setSide(ground.nodes);
    await until(
      "no more than is wanted",
      PATIENCE_MS,
      () => count(copies, () => true) === MANY,
      50,
    );
    const excessMs = copies.excessMs(SERVICE, MANY, backMs);
    const most = copies.most(SERVICE, backMs);
    const down = await full.cli("down", "--scope", SCOPE);
    return [
      ...lost,
      within(`more than ${MANY} ran once it was back`, excessMs, 5_000),
      tell("at most", `${most} at once`),
      atMost("what down said", down.code, 0),
    ];
  },
};
