// SPDX-License-Identifier: Apache-2.0
// What a network that spans hosts costs: TCP throughput by iperf3, and a question and its answer of 64 bytes, between
// containers on two hosts of the lab, plain and encrypted; beside Swarm's overlay on the same engines, one bridge, and the hosts
// themselves. Swarm's encrypted overlay is IPsec, which the lab's kernel does not have.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { planClaim } from "#control/claim-overlay.ts";
import { createOverlayPicture, type OverlayPicture } from "#control/overlay-entries.ts";
import { translateNetwork } from "#control/translate-network.ts";
import type { Guard, Guest, Shortcut } from "#guard/guard.ts";
import { openGuard } from "#guard/open.ts";
import { callEngine } from "#lab/call-engine.ts";
import { startHosts, type LabHost } from "#lab/hosts.ts";
import { importBusybox } from "#lab/images.ts";
import { createNetfilter } from "#netfilter/netfilter.ts";
import { openOverlay, openTunnel } from "#network/open.ts";
import { createOverlayGuard } from "#network/overlay-guard.ts";
import { nameBridge, nameDevice } from "#network/plan-overlay.ts";
import { nameTunnel } from "#network/plan-tunnel.ts";
import { openTunnelKeys } from "#network/tunnel-keys.ts";
import { ensurePackages } from "../scripts/setup.ts";
import type { Bench, Sample } from "./bench.ts";
import { measurePath, runAt, serve, waitUntilUp, type End, type Path } from "./measure-path.ts";

/** One shows that it runs. */
const ROUNDS = Number(process.env["FAIRLEAD_BENCH_ROUNDS"] ?? 5);
const NAME = "bench";
const TUNNEL_PORT = 51_820;
/** Of the lab's path of 1,500 bytes, for both overlays. */
const MTU = 1_450;

/** A container that sleeps. */
interface ContainerEnd extends End {
  readonly id: string;
  readonly pid: number;
}

/** A host with what its node would ask of the guard. */
interface GuardedHost {
  readonly guard: Guard;
  readonly ready: readonly Guest[];
  readonly shortcuts: readonly Shortcut[];
}

interface Subject extends Path {
  readonly name: string;
  /** Whether its packets go over the bridges (`overlay.shortcut: off`), on the same ends as another's. */
  readonly isOverBridge?: boolean;
}

function docker(host: LabHost, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync("docker", ["-H", host.endpoint, ...args], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`docker ${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

/** A container that sleeps, as an end on its only network. */
function startEnd(host: LabHost, name: string, network: string): ContainerEnd {
  docker(host, "run", "-d", "--name", name, "--network", network, "busybox:lab", "sleep", "100000");
  const format = "{{.Id}} {{.State.Pid}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
  const [id = "", pid = "", address = ""] = docker(host, "inspect", "-f", format, name).split(" ");
  return { netns: `/proc/${pid}/ns/net`, address, id, pid: Number(pid) };
}

function readMac({ netns }: End): string {
  const text = runAt({ netns, address: "" }, "ip", "-o", "link", "show", "eth0");
  return /link\/ether (\S+)/.exec(text)?.[1] ?? "";
}

/** What a file says of a network that says nothing. */
const PLAIN_NETWORK = {
  external: false,
  options: {},
  internal: false,
  attachable: false,
  enableIpv6: false,
  labels: {},
  hash: "",
} as const;

/** Joins the hosts by WireGuard, as an encrypted network of theirs would. */
async function prepareTunnels(hosts: readonly LabHost[], directory: string): Promise<void> {
  const keys = hosts.map(({ name }) => openTunnelKeys(`${directory}/${name}.key`));
  const peers = await Promise.all(
    hosts.map(async ({ ip: address }, index) => {
      const { publicKey = "" } = (await keys[index]?.read()) ?? {};
      return { publicKey, address, endpoint: { address, port: TUNNEL_PORT } };
    }),
  );
  for (const [index, { netns, name, ip }] of hosts.entries()) {
    await using tunnel = openTunnel({ netns: `/run/netns/${netns}`, host: ip });
    const { fact } = await tunnel.apply({
      device: nameTunnel(name),
      host: ip,
      port: TUNNEL_PORT,
      mtu: MTU,
      keyFile: keys[index]?.file ?? "",
      publicKey: peers[index]?.publicKey ?? "",
      peers: peers.filter((_, other) => other !== index),
    });
    if (fact.way !== "kernel") process.stderr.write(`${name} encrypts by ${fact.way}\n`);
  }
}

/** A network of Fairlead's, made of its own parts. */
async function makeNetwork(
  hosts: readonly LabHost[],
  picture: OverlayPicture,
  { name, encrypted }: { readonly name: string; readonly encrypted: boolean },
) {
  const ends: ContainerEnd[] = [];
  const mtu = encrypted ? MTU - 60 : MTU;
  let vni = 0;
  for (const host of hosts) {
    const request = { name, node: host.name, subnets: [], ipv6: false, encrypted, mtu, port: 4790 };
    const claim = planClaim({ ...request, pools: ["10.128.0.0/10"], hostNetworks: [] }, picture);
    picture.take({ key: `networks/def/${name}`, value: claim.definition });
    picture.take({ key: `networks/range/${name}/${host.name}`, value: claim.range });
    vni = claim.definition.vni;
    const { options, ipam } = translateNetwork({ ...PLAIN_NETWORK, key: name, name }, claim);
    const body = { Name: name, Driver: "bridge", Options: options, IPAM: { Config: ipam?.config } };
    await callEngine(host, "POST", "/networks/create", body);
    ends.push(startEnd(host, `${name}-own`, name));
  }
  const endpoints = ends.map((end, index) => ({
    host: hosts[index]?.ip ?? "",
    mac: readMac(end),
    addresses: [end.address],
  }));
  return { ends, encrypted, endpoints, network: { name, vni, port: 4790, mtu } };
}

type MadeNetwork = Awaited<ReturnType<typeof makeNetwork>>;

/** What the node of a host would say of its instances: that they are ready, and may go past their bridges. */
function guardHost(
  { netns, ip }: LabHost,
  index: number,
  made: readonly MadeNetwork[],
): GuardedHost {
  const ready = made.flatMap(({ ends, endpoints, network }) => {
    const [end, own] = [ends[index], endpoints[index]];
    if (end === undefined || own === undefined) return [];
    const port = { bridge: nameBridge(network.vni), mac: own.mac, addresses: own.addresses };
    return [{ id: end.id, pid: end.pid, ports: [port] }];
  });
  const shortcuts = made.map(({ network: { vni }, endpoints }) => ({
    bridge: nameBridge(vni),
    device: nameDevice(vni),
    turn: 1,
    macs: endpoints.filter(({ host }) => host !== ip).map(({ mac }) => mac),
  }));
  const netfilter = createNetfilter();
  const guard = openGuard({ kind: "nftables", netfilter, netns: `/run/netns/${netns}` });
  return { guard, ready, shortcuts };
}

/** Both of Fairlead's networks, with all that a node puts around them. */
async function prepareFairlead(hosts: readonly LabHost[], directory: string) {
  const picture = createOverlayPicture();
  await prepareTunnels(hosts, directory);
  const made = [
    await makeNetwork(hosts, picture, { name: NAME, encrypted: false }),
    await makeNetwork(hosts, picture, { name: `${NAME}-secret`, encrypted: true }),
  ];
  for (const { netns, name, ip } of hosts) {
    const device = nameTunnel(name);
    await createOverlayGuard(createNetfilter(), `/run/netns/${netns}`).apply({
      networks: made.map(({ network }) => network),
      encrypted: made.flatMap(({ encrypted, network }) => (encrypted ? network.vni : [])),
      tunnel: device,
      hosts: hosts.map((host) => host.ip),
    });
    await using overlay = openOverlay({ kind: "vxlan", netns: `/run/netns/${netns}` });
    await overlay.apply(
      made.map(({ network, encrypted, endpoints }) => ({
        network,
        host: ip,
        bridge: nameBridge(network.vni),
        tunnel: encrypted ? device : undefined,
        endpoints,
      })),
    );
  }
  const guarded = hosts.map((host, index) => guardHost(host, index, made));
  return { guarded, ends: made.map(({ ends }) => ends) };
}

function prepareSwarm([first, second]: readonly [LabHost, LabHost]): readonly End[] {
  docker(first, "swarm", "init", "--advertise-addr", first.ip);
  const token = docker(first, "swarm", "join-token", "-q", "worker");
  docker(second, "swarm", "join", "--advertise-addr", second.ip, "--token", token, first.ip);
  docker(first, "network", "create", "-d", "overlay", "--attachable", "swarm-net");
  return [first, second].map((host) => startEnd(host, `${NAME}-swarm`, "swarm-net"));
}

async function prepare(hosts: readonly [LabHost, LabHost], directory: string) {
  const [first] = hosts;
  const pair = (name: string, [from, to]: readonly End[]): Subject => {
    if (from === undefined || to === undefined) throw new Error(`${name} lacks an end`);
    return { name, from, to };
  };
  const host = hosts.map(({ netns, ip }) => ({ netns: `/run/netns/${netns}`, address: ip }));
  docker(first, "network", "create", "one-host");
  const bridge = ["a", "b"].map((end) => startEnd(first, `${NAME}-bridge-${end}`, "one-host"));
  const { guarded, ends } = await prepareFairlead(hosts, directory);
  const [own = [], encrypted = []] = ends;
  const subjects = [
    pair("fairlead", own),
    { ...pair("fairlead-bridge", own), isOverBridge: true },
    pair("fairlead-encrypted", encrypted),
    pair("swarm", prepareSwarm(hosts)),
    pair("bridge", bridge),
    pair("host", host),
  ];
  return { guarded, subjects };
}

/** Gives instances the way past the bridges, or takes it from them, as their nodes would. */
async function switchShortcuts(
  hosts: readonly GuardedHost[],
  { isOverBridge = false }: Subject,
): Promise<void> {
  for (const { guard, ready, shortcuts } of hosts) {
    const wanted = isOverBridge ? [] : shortcuts;
    const { withheld } = await guard.gate({ bridges: [], ready, shortcuts: wanted, look: true });
    if (withheld !== undefined) throw new Error(`there is no way past the bridge: ${withheld}`);
  }
}

function measure(subject: Subject, sample: (sample: Sample) => void): void {
  const { name } = subject;
  const { tcpGbitS, repliesUs } = measurePath(subject);
  sample({ metric: "tcp_gbit_s", unit: "Gbit/s", subject: name, value: tcpGbitS });
  for (const us of repliesUs)
    sample({ metric: "request_reply_us", unit: "µs", subject: name, value: us });
}

export const overlay: Bench = {
  name: "overlay",
  about: "TCP between containers on two hosts, against Swarm's overlay, one bridge and the hosts",
  async run({ say, sample }) {
    ensurePackages([
      { program: "iperf3", package: "iperf3" },
      { program: "wg", package: "wireguard-tools" },
      { program: "wireguard-go", package: "wireguard-go" },
    ]);
    await using lab = await startHosts(2);
    const [first, second] = lab.hosts;
    if (first === undefined || second === undefined) throw new Error("two hosts are needed");
    for (const host of lab.hosts) await importBusybox(host, "busybox:lab");
    const directory = mkdtempSync(join(tmpdir(), "fairlead-bench-"));
    const { guarded, subjects } = await prepare([first, second], directory);
    const servers = subjects.filter(({ isOverBridge }) => isOverBridge !== true).flatMap(serve);
    try {
      for (const subject of subjects) await waitUntilUp(subject);
      for (let round = 1; round <= ROUNDS; round++) {
        say(`round ${round} of ${ROUNDS}`);
        // Each is first once, since the machine is not alike at all times.
        const turn = round % subjects.length;
        for (const subject of [...subjects.slice(turn), ...subjects.slice(0, turn)]) {
          await switchShortcuts(guarded, subject);
          measure(subject, sample);
        }
      }
    } finally {
      for (const server of servers) server.kill("SIGKILL");
      rmSync(directory, { recursive: true });
    }
  },
};
