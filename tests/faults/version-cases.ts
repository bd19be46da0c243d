// SPDX-License-Identifier: Apache-2.0
// Nodes of two versions: a fleet goes from an older build to this one and back, a host after the other, while connections stand.
import { setTimeout as sleep } from "node:timers/promises";
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { ScopeView, ServiceView } from "@fairlead/protocol/views.ts";
import { awaitAlive, readScope } from "#lab/fleet.ts";
import type { HostNode } from "#lab/host-node.ts";
import { IMAGE, until } from "#lab/rig.ts";
import { runProgram } from "#lab/run-program.ts";
import type { Call } from "./call.ts";
import { atMost, tell, type Figure } from "./figure.ts";
import { nowMs, SCOPE, SERVICES, STEADY, type Ground, type ServiceName } from "./ground.ts";
import { holdConnection, type Held, type Way } from "./hold-connections.ts";
import { OWN_ROOT } from "./other-build.ts";
import type { FaultCase } from "./run-case.ts";

const ECHO_PORT = 8081;
const PATIENCE_MS = 60_000;
const SINGLETON: ServiceName = "one";
/** Of calls that failed. */
const SHOWN_MAX = 8;
/** So long a host runs a build before the next one changes. */
const DWELL_MS = Number(process.env["FAIRLEAD_FAULT_DWELL_MS"] ?? 2_000);
const ROUNDS = Number(process.env["FAIRLEAD_FAULT_ROLLS"] ?? 1);

/** What goes through what nodes make in the kernel: a network over hosts, an address, who may call whom. */
const HELD = "held";
const HELD_FILE = `
name: ${HELD}
services:
  hub:
    image: ${IMAGE}
    command: ["nc", "-ll", "-p", "${ECHO_PORT}", "-e", "cat"]
    init: true
    stop_grace_period: 1s
    labels: { fairlead.address: "on", fairlead.allow.from: spoke }
    deploy: { replicas: 2, placement: { max_replicas_per_node: 1 } }
  spoke:
    image: ${IMAGE}
    command: ["sleep", "100000"]
    init: true
    stop_grace_period: 1s
    deploy: { mode: global }
  probe:
    image: ${IMAGE}
    command: ["sleep", "100000"]
    init: true
    stop_grace_period: 1s
    deploy: { replicas: 1 }
networks:
  default: { driver: vxlan, internal: true }
`;

async function run(node: HostNode, ...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await node.cli(...words);
  if (code !== 0) throw new Error(`${words.join(" ")} on ${node.host.name}: ${stdout}${stderr}`);
  return stdout;
}

async function awaitSettled({ nodes }: Ground, scope: string): Promise<void> {
  for (const node of nodes)
    await until(
      `${scope} is as wanted by what ${node.host.name} knows`,
      PATIENCE_MS,
      async () => (await readScope(node, scope))?.settled === true,
      100,
    );
}

function findInstance(view: ScopeView, service: string, node: string) {
  const { instances = [] } = view.services.find(({ name }) => name === service) ?? {};
  return instances.find((one) => one.node === node && one.state === "running");
}

/** From a spoke on each host through the hub's address. */
async function listAddressWays(ground: Ground): Promise<readonly Way[]> {
  const first = ground.node(1);
  const { body } = await first.ask<{ items: readonly ServiceView[] }>(`services?scope=${HELD}`);
  const address = body.items.find(({ name }) => name === "hub")?.addresses?.[0];
  const view = await readScope(first, HELD);
  if (address === undefined || view === undefined) throw new Error("the hub has no address");
  return ground.hosts.flatMap(({ name, endpoint }): Way[] => {
    const spoke = findInstance(view, "spoke", name);
    if (spoke === undefined) throw new Error(`there is no spoke on ${name}`);
    const args = ["-H", endpoint, "exec", "-i", spoke.id, "nc", address, String(ECHO_PORT)];
    return [{ name: `${name} through the hub's address`, program: "docker", args }];
  });
}

/** From the client's network to one instance of each service, by the port that its host publishes. */
async function listPortWays({ fleet, hosts, nodes }: Ground): Promise<readonly Way[]> {
  const [first] = nodes;
  const view = first === undefined ? undefined : await readScope(first, SCOPE);
  return SERVICES.map((service) => {
    const { instances = [] } = view?.services.find(({ name }) => name === service) ?? {};
    const one = instances.find(({ state }) => state === "running");
    const ip = hosts.find(({ name }) => name === one?.node)?.ip;
    const port = one?.ports.find(({ containerPort }) => containerPort === ECHO_PORT)?.hostPort;
    if (ip === undefined || port === undefined) throw new Error(`${service} publishes no echo`);
    const inside = `--net=/run/netns/${fleet.lab.switchNetns}`;
    const args = [inside, "busybox", "nc", ip, String(port)];
    return { name: `the client to ${service}`, program: "nsenter", args };
  });
}

/** Rules that keep the hub to the spokes hold: another container is not answered. */
async function isProbeRefused({ nodes, hosts }: Ground, address: string): Promise<boolean> {
  const [first] = nodes;
  const view = first === undefined ? undefined : await readScope(first, HELD);
  const probe = view?.services.find(({ name }) => name === "probe")?.instances[0];
  const host = hosts.find(({ name }) => name === probe?.node);
  if (probe === undefined || host === undefined) throw new Error("there is no probe");
  const call = `echo hello | nc -w 2 ${address} ${ECHO_PORT}`;
  const words = ["-H", host.endpoint, "exec", probe.id, "sh", "-c", `${call} || echo refused`];
  return !runProgram("docker", words).includes("hello");
}

/** One host after the other runs another build; half-way, what is wanted is changed by either. */
async function roll(ground: Ground, root: string): Promise<void> {
  for (const [at, node] of ground.nodes.entries()) {
    await node.signal("SIGTERM");
    node.install(root);
    await node.start();
    await awaitAlive(ground.nodes);
    const by = ground.nodes[at % 2 === 0 ? at : ground.nodes.length - 1] ?? node;
    await run(by, "scale", "--scope", HELD, `probe=${1 + ((at + 1) % 2)}`);
    await awaitSettled(ground, HELD);
    await ground.calm();
    await sleep(DWELL_MS);
  }
}

async function readVersions({ nodes }: Ground): Promise<string> {
  const answers = await Promise.all(nodes.map(({ ask }) => ask<{ items: NodeView[] }>("nodes")));
  const all = answers.flatMap(({ body }) => body.items.map(({ version }) => version));
  return [...new Set(all)].join(", ");
}

/** When each call failed and why, by service: `one 12.3 s …`. */
function describeFailed(failed: readonly Call[], fromMs: number): string {
  const shown = failed.slice(0, SHOWN_MAX).map(({ service, sentMs, endMs, tried, detail }) => {
    const at = `${((sentMs - fromMs) / 1_000).toFixed(1)} s`;
    return `${service} at ${at} for ${(endMs - sentMs).toFixed(0)} ms on ${tried.join()}: ${detail}`;
  });
  const more = failed.length - shown.length;
  return [...shown, ...(more > 0 ? [`${more} more`] : [])].join("; ");
}

/** What the client saw while hosts went from one build to the other. */
function judgeRoll(ground: Ground, way: string, fromMs: number, version: string): Figure[] {
  const toMs = nowMs();
  const isOf = (atMs: number): boolean => atMs >= fromMs && atMs < toMs;
  const calls = ground.client.calls.filter(({ sentMs }) => isOf(sentMs));
  const failed = calls.filter(({ outcome }) => outcome !== "ok");
  const again = calls.filter(({ tried }) => tried.length > 1).length;
  const took = ((toMs - fromMs) / 1_000).toFixed(0);
  const pauses = ground.client.pauses.filter(({ atMs }) => isOf(atMs)).map(({ forMs }) => forMs);
  const longest = Math.max(0, ...pauses).toFixed(0);
  const which = failed.length === 0 ? [] : [tell(`${way}: which`, describeFailed(failed, fromMs))];
  return [
    {
      ...atMost(`${way}: calls that were not answered rightly`, failed.length, 0),
      value: `${failed.length} of ${calls.length}, ${again} at the second try`,
    },
    ...which,
    tell(`${way}: the client itself had no turn`, `${pauses.length} times, ${longest} ms at most`),
    tell(`${way}: nodes say that they are`, `${version}; ${ground.nodes.length} in ${took} s`),
  ];
}

/** What nodes decided about the singleton since then: nothing, as none of what befalls it is a fault. */
async function tellDecisions(ground: Ground, fromMs: number): Promise<Figure> {
  const path = `decisions?scope=${SCOPE}&limit=200`;
  const { body } = await ground.node(1).ask<{ items: readonly Decision[] }>(path);
  const own = body.items.filter(
    ({ service, startedAtMs }) => service === SINGLETON && startedAtMs >= fromMs,
  );
  const told = own.map(({ title, trigger }) => `${title}: ${trigger.detail}`);
  return tell("decided about the singleton", told.length === 0 ? "nothing" : told.join("; "));
}

function judgeHeld(held: readonly Held[]): Figure[] {
  const cut = held.filter(({ cut: why }) => why !== undefined);
  const told = cut.map(({ name, cut: why }) => `${name}: ${why}`).join("; ");
  const echoes = held.reduce((sum, one) => sum + one.echoes, 0);
  const longest = Math.max(...held.map(({ silenceMs }) => silenceMs));
  return [
    {
      ...atMost("connections that were cut", cut.length, 0),
      value: `${cut.length} of ${held.length}${told === "" ? "" : ` (${told})`}`,
    },
    tell("lines that came back on them", `${echoes}, longest pause ${longest.toFixed(0)} ms`),
  ];
}

const versions: FaultCase = {
  name: "versions",
  rows: "R22",
  about: "all hosts go from an older build to this one and back, one after the other",
  hosts: 3,
  isOfTwoBuilds: true,
  async run(ground) {
    const { other, nodes } = ground;
    if (other === undefined) throw new Error("the fleet does not begin with a second build");
    const first = ground.node(1);
    await run(first, "up", "-f", first.file(HELD_FILE), "--timeout", "90s");
    await awaitSettled(ground, HELD);
    await using stack = new AsyncDisposableStack();
    const ways = [...(await listPortWays(ground)), ...(await listAddressWays(ground))];
    const held: Held[] = [];
    for (const way of ways) held.push(stack.use(await holdConnection(way)));
    const address = ways.at(-1)?.args.at(-2) ?? "";
    const before = ground.copies.ids(STEADY);
    const beganMs = nowMs();
    const figures: Figure[] = [];
    const refused: boolean[] = [];
    for (let round = 0; round < ROUNDS; round++)
      for (const [way, root] of [
        ["to this build", OWN_ROOT],
        ["and back", other.root],
      ] as const) {
        const fromMs = nowMs();
        await roll(ground, root);
        refused.push(await isProbeRefused(ground, address));
        figures.push(...judgeRoll(ground, way, fromMs, await readVersions(ground)));
      }
    const kept = [...ground.copies.ids(STEADY)].filter((id) => before.has(id)).length;
    const open = refused.filter((isRefused) => !isRefused).length;
    const judged = [
      ...figures,
      ...judgeHeld(held),
      atMost("containers that are not the same", before.size - kept, 0),
      await tellDecisions(ground, beganMs),
      atMost("times that the hub answered whom it may not", open, 0),
    ];
    await run(nodes[0] ?? first, "down", "--scope", HELD);
    return judged;
  },
};

/** In the order in which they run. */
export const VERSION_CASES: readonly FaultCase[] = [versions];
