// SPDX-License-Identifier: Apache-2.0
// Three hosts with a service on networks that span them, and what tests of those networks do and see on a host.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NetworkView, PathView } from "@fairlead/protocol/network.ts";
import { z } from "zod";
import { startHosts, type LabHost, type LabHosts } from "#lab/hosts.ts";
import { IMAGE, until } from "#lab/rig.ts";
import { runInNamespace } from "#lab/run-program.ts";
import type { InstanceFact } from "#model/facts.ts";
import { startAgentProcess, type AgentProcess } from "./agent-process.ts";
import { openHostPlaces, type HostPlace } from "./host-places.ts";

export const PATIENCE_MS = 30_000;
export const NETWORK = "shop_default";
export const SECRET = "shop_secret";
export const DEVICE = "flv100000";
/** What the way to the third host carries, and the network then. */
export const PATH_MTU = 1400;
export const MTU = PATH_MTU - 50;
/** WireGuard takes 60 bytes more. */
export const SECRET_MTU = MTU - 60;
const HEADERS = { 4: 28, 6: 48 } as const;
export const compose = (replicas: number): string => `
name: shop
services:
  web:
    image: ${IMAGE}
    command: ["sleep", "1000"]
    stop_signal: SIGKILL
    deploy: { replicas: ${replicas}, placement: { max_replicas_per_node: 1 } }
    networks: [default, secret]
networks:
  default: { driver: vxlan, enable_ipv6: true }
  secret: { driver: vxlan, driver_opts: { encrypted: "" } }
`;

/** With its one instance. */
export interface Place extends HostPlace {
  container: string;
  addresses: readonly string[];
  /** Its address on the encrypted network. */
  secret: string;
}

export interface OverlayRig {
  readonly lab: LabHosts;
  readonly places: readonly Place[];
}

/** Three hosts of one fleet that know the ways between them; nothing runs on them yet. The way to the third carries less than a full packet. */
export async function openOverlayRig(stack: AsyncDisposableStack): Promise<OverlayRig> {
  const lab = stack.use(await startHosts(3));
  const rules =
    "add table bridge watch; add chain bridge watch to { type filter hook forward priority 0; }; " +
    `add rule bridge watch to oifname "h3" ip protocol udp ip length > ${PATH_MTU} drop; ` +
    'add rule bridge watch to oifname "h3" ip protocol udp udp dport 4789 counter';
  runInNamespace(`${lab.tag}-sw`, "nft", [rules]);
  const settings = ({ ip }: LabHost) => ({ FAIRLEAD_DNS_LISTEN: `${ip}:53` });
  const opened = await openHostPlaces(lab, stack, settings);
  const places = opened.map((one) => ({ ...one, container: "", addresses: [], secret: "" }));
  for (const { node } of places)
    await until("the ways to both other hosts are measured", PATIENCE_MS, async () => {
      const { body } = await node.ask<{ items: readonly PathView[] }>("paths");
      return body.items.filter(({ mtu }) => mtu !== undefined).length === 2;
    });
  return { lab, places };
}

/** How many of three packets of full size come back. */
export async function ping(
  from: Place,
  address: string,
  family: 4 | 6,
  count = 3,
  mtu = MTU,
): Promise<number> {
  const size = String(mtu - HEADERS[family]);
  const command = ["ping", `-${family}`, "-q", "-c", String(count), "-i", "0.05", "-W", "1"];
  const { stdout } = await from.engine.exec(from.container, [...command, "-s", size, address], {
    decision: "test",
  });
  return Number(/(\d+) packets received/.exec(stdout)?.[1] ?? 0);
}

export const run = (at: Place, ...[program, ...args]: [string, ...string[]]): string =>
  runInNamespace(at.node.host.netns, program, args);

export const entriesOf = (at: Place): string => run(at, "bridge", "fdb", "show", "dev", DEVICE);

/** How a node sees the network. */
export async function look(at: Place): Promise<NetworkView | undefined> {
  const { body } = await at.node.ask<{ items: readonly NetworkView[] }>("networks");
  return body.items.find(({ name }) => name === NETWORK);
}

/** The instance that its engine has. */
export async function findInstance({ engine }: Place): Promise<InstanceFact | undefined> {
  return (await engine.listInstances()).find(({ scope }) => scope === "shop");
}

/** Whatever passes the switch from now on. */
export async function capture(lab: LabHosts) {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-capture-"));
  const file = join(directory, "all.pcap");
  const command = ["tcpdump", "-i", "br0", "-w", file, "-U", "-s", "0", "-Z", "root", "udp"];
  const child = spawn("nsenter", [`--net=/run/netns/${lab.tag}-sw`, ...command], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  for await (const text of child.stderr.iterator({ destroyOnReturn: false }))
    if (String(text).includes("listening on")) break;
  child.stderr.resume();
  return {
    has: (text: string): boolean => readFileSync(file).includes(text),
    async [Symbol.asyncDispose]() {
      const ended = once(child, "close");
      child.kill("SIGTERM");
      await ended;
      rmSync(directory, { recursive: true });
    },
  };
}

export const shell = (at: Place, script: string) =>
  at.engine.exec(at.container, ["sh", "-c", script], { decision: "test" });

/** Sends a word through a network until it has come back. */
export async function say(from: Place, address: string, word: string): Promise<void> {
  const sent = `for i in 1 2 3; do echo ${word} | busybox nc -w 2 ${address} 7000 && break; done`;
  const { stdout } = await shell(from, sent);
  assert.ok(stdout.includes(word), `${word} came back`);
}

export const nameOfTunnel = (at: Place): string =>
  /flw[0-9a-f]{8}/.exec(run(at, "ip", "-br", "link"))?.[0] ?? "";

/** The addresses that a name has, as an instance on a host sees it. */
export async function lookUp(
  { engine, container }: Place,
  name: string,
): Promise<readonly string[]> {
  const command = ["nslookup", "-type=a", `${name}.fairlead.internal`];
  const { stdout } = await engine.exec(container, command, { decision: "test" });
  const answer = stdout.slice(stdout.indexOf("Name:"));
  return [...answer.matchAll(/^Address[^:]*:\s+(\d+\.\d+\.\d+\.\d+)$/gm)]
    .map(([, one = ""]) => one)
    .toSorted();
}

export const addressesOf = (...some: Place[]): readonly string[] =>
  some.flatMap((at) => [at.addresses[0] ?? "", at.secret]).toSorted();

const PROGRAMS = join(import.meta.dirname, "programs");
/** A program with an agent in the network of the instance of a place, that talks to the node of its host. */
export async function startAgent(
  at: Place,
  name: string,
  file: string,
  env: NodeJS.ProcessEnv = {},
): Promise<AgentProcess> {
  const raw = await at.engine.inspectRaw(at.container);
  const { Pid } = z.object({ State: z.object({ Pid: z.number() }) }).parse(raw).State;
  const where = { network: `/proc/${Pid}/ns/net`, fabric: at.node.fabric };
  return startAgentProcess({ name, ...where, program: join(PROGRAMS, file), env });
}
