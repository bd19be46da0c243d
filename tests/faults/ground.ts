// SPDX-License-Identifier: Apache-2.0
// A fleet with three services that a client calls, on which faults are let loose: what stays, what starts elsewhere on
// suspicion, and one that must never run twice.
import type { NodeView } from "@fairlead/protocol/node.ts";
import { createSmallDisk, type SmallDisk } from "#lab/disk.ts";
import { awaitAlive, readScope, startFleet, type LabFleet } from "#lab/fleet.ts";
import type { HostNode } from "#lab/host-node.ts";
import type { LabHost } from "#lab/hosts.ts";
import { IMAGE, until } from "#lab/rig.ts";
import type { OtherBuild } from "./other-build.ts";
import { DNS_PORT, startClient, type Client } from "./start-client.ts";
import { watchCopies, type Copies } from "./watch-copies.ts";

/** The scope, and how many there are to be of each service. */
export const SCOPE = "shop";
export const WANTED = { web: 5, eager: 2, one: 1 } as const;
export type ServiceName = keyof typeof WANTED;
export const SERVICES = Object.keys(WANTED) as readonly ServiceName[];
/** Those that suspicion alone does not move; of an eager one whichever copy runs well is kept. */
export const STEADY: readonly ServiceName[] = ["web", "one"];

const PATIENCE_MS = 90_000;
/** One instance after the other, half a minute after the last node came. */
const SPREAD_MS = 180_000;
const DISK_BYTES = 64 * 2 ** 20;

/** HTTP at 8080, and an echo at 8081 for connections that stay. */
const describe = (name: ServiceName, label: string): string => `
  ${name}:
    image: ${IMAGE}
    command: ["sh", "-c", "nc -ll -p 8081 -e cat & mkdir -p /tmp/w && echo ${name} $$(hostname) > /tmp/w/index.html && exec httpd -f -p 8080 -h /tmp/w"]
    init: true
    stop_grace_period: 1s
    ports: ["8080", "8081"]
    labels: { ${label} }
    deploy: { replicas: ${WANTED[name]} }`;
const FILE = `
name: ${SCOPE}
services:${describe("web", "")}${describe("eager", "fairlead.failover: eager")}${describe("one", 'fairlead.singleton: "true"')}
`;

export interface Ground extends AsyncDisposable {
  readonly fleet: LabFleet;
  readonly nodes: readonly HostNode[];
  readonly hosts: readonly LabHost[];
  readonly client: Client;
  readonly copies: Copies;
  /** Where the last node keeps its state. */
  readonly disk: SmallDisk;
  /** A second build, which all hosts run in the beginning. */
  readonly other: OtherBuild | undefined;
  /** A node by its host's number, from 1. */
  node(number: number): HostNode;
  /** Resolves once all nodes are alive, and all runs as it is wanted, once; returns how long that took. */
  calm(): Promise<number>;
  /** Resolves once it is calm and web is spread over all hosts again, so that nothing is about to move. */
  rest(): Promise<void>;
}

export interface GroundOptions {
  readonly hosts: number;
  /** Calls a second of each service. */
  readonly rate: number;
  /** What all hosts run in the beginning; default this build. */
  readonly other?: OtherBuild | undefined;
}

/** Wall clock, milliseconds. */
export const nowMs = (): number => performance.timeOrigin + performance.now();

/** How all other nodes that answer see one: its states, without repetition. */
export async function readSights(
  by: readonly HostNode[],
  name: string,
): Promise<readonly NodeView["state"][]> {
  const all = await Promise.all(
    by.map(async ({ ask }) => {
      const { body } = await ask<{ items: NodeView[] }>("nodes");
      return body.items.find((one) => one.name === name)?.state ?? "gone";
    }),
  );
  return [...new Set(all)];
}

/** Milliseconds from now until all others see a node in a state. */
export async function awaitSight(
  by: readonly HostNode[],
  name: string,
  isIt: (state: NodeView["state"]) => boolean,
): Promise<number> {
  const fromMs = nowMs();
  const seen = async (): Promise<boolean> => (await readSights(by, name)).every(isIt);
  await until(`${name} is seen otherwise`, PATIENCE_MS, seen, 50);
  return nowMs() - fromMs;
}

/** Starts it; all runs and is called once this resolves. */
export async function openGround({ hosts, rate, other }: GroundOptions): Promise<Ground> {
  await using stack = new AsyncDisposableStack();
  const disk = stack.use(createSmallDisk({ sizeBytes: DISK_BYTES, name: "state" }));
  const stateDir = (index: number) => (index === hosts - 1 ? disk.path : undefined);
  const build = other === undefined ? {} : { root: other.root };
  const settings = (_: number, { ip }: LabHost) => ({ FAIRLEAD_DNS_LISTEN: `${ip}:${DNS_PORT}` });
  const fleet = stack.use(await startFleet({ hosts, stateDir, settings, ...build }));
  const { nodes, lab } = fleet;
  const [first] = nodes;
  if (first === undefined) throw new Error("there is no host");
  const up = await first.cli("up", "-f", first.file(FILE), "--timeout", "90s");
  if (up.code !== 0) throw new Error(up.stdout + up.stderr);
  const copies = stack.use(watchCopies(lab.hosts, SCOPE));
  const side = nodes;
  const of = { netns: lab.switchNetns, side, scope: SCOPE, services: SERVICES, rate };
  const client = stack.use(startClient(of));

  function hasAll(): boolean {
    const { running = [] } = copies.looks.at(-1) ?? {};
    return SERVICES.every(
      (name) => running.filter(({ service }) => service === name).length === WANTED[name],
    );
  }

  async function calm(): Promise<number> {
    const fromMs = nowMs();
    await awaitAlive(nodes, PATIENCE_MS);
    for (const node of nodes)
      await until(
        `all is as wanted by what ${node.host.name} knows`,
        PATIENCE_MS,
        async () => (await readScope(node, SCOPE))?.settled === true,
        100,
      );
    await until("all runs once", PATIENCE_MS, hasAll, 100);
    return nowMs() - fromMs;
  }
  function isSpread(): boolean {
    const { running = [] } = copies.looks.at(-1) ?? {};
    const web = running.filter(({ service }) => service === "web");
    return new Set(web.map(({ host }) => host)).size === Math.min(hosts, WANTED.web);
  }

  async function rest(): Promise<void> {
    await calm();
    await until("web is spread again", SPREAD_MS, isSpread, 100);
    await calm();
  }
  await calm();
  const owned = stack.move();
  return {
    fleet,
    nodes,
    hosts: lab.hosts,
    client,
    copies,
    disk,
    other,
    node(number) {
      const found = nodes[number - 1];
      if (found === undefined) throw new Error(`there is no host ${number}`);
      return found;
    },
    calm,
    rest,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
