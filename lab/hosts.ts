// SPDX-License-Identifier: Apache-2.0
// Several hosts on one machine: an engine each, joined by one bridge. The bridge stands in a namespace of the lab too,
// so that neither the machine's interfaces nor its firewall are touched, and no engine can close forwarding on it.
import { createNamespace, startEngine, type LabEngine, type LabEngineOptions } from "./engine.ts";
import { openLedger, type Ledger } from "./ledger.ts";
import { runInNamespace, runProgram } from "./run-program.ts";

/** A host on the lab's switch. */
export interface PlainHost {
  readonly name: string;
  /** Network namespace, as `ip netns` knows it. */
  readonly netns: string;
  /** Its address among the hosts. */
  readonly ip: string;
  /** Where its engine is; there is none behind it on a plain host. */
  readonly endpoint: string;
  /** Pulls its cable: nothing goes in or out until `rejoin`. */
  cutOff(): void;
  rejoin(): void;
  /** Loses that share of the packets in either direction, at random; 0 ends it. */
  losePackets(percent: number): void;
}

/** One host of a lab, with an engine. */
export interface LabHost extends LabEngine, PlainHost {}

/** What is dropped on a way: everything, datagrams, or what begins a TCP connection to a port, as a firewall that is set wrong does. */
export type Dropped = "everything" | "datagrams" | { readonly connectionsTo: number };

/** Hosts that reach each other. Disposing removes them all. */
export interface LabHosts<Host extends PlainHost = LabHost> extends AsyncDisposable {
  readonly tag: string;
  readonly hosts: readonly Host[];
  /** Namespace of the switch that joins them. It has an address among the hosts, for clients that are on none of them. */
  readonly switchNetns: string;
  /** Drops what goes from the first host of each pair to the second; replaces what was dropped before. */
  block(ways: readonly (readonly [from: PlainHost, to: PlainHost])[], dropped?: Dropped): void;
}

const BRIDGE = "br0";
/** A range for documentation, so that no network of the machine is meant. */
const NETWORK = "198.51.100";
const HOSTS_MAX = 200;
const SWITCH_IP = `${NETWORK}.254`;

function createSwitch(ledger: Ledger): string {
  const name = `${ledger.tag}-sw`;
  createNamespace(ledger, name);
  runProgram("ip", ["-n", name, "link", "add", BRIDGE, "type", "bridge", "forward_delay", "0"]);
  runProgram("ip", ["-n", name, "address", "add", `${SWITCH_IP}/24`, "dev", BRIDGE]);
  runProgram("ip", ["-n", name, "link", "set", BRIDGE, "up"]);
  return name;
}

/** Lays a cable from the switch, where it ends in `port`, to eth0 of a new namespace. */
function plugIn(ledger: Ledger, switchName: string, port: string, ip: string): string {
  const netns = `${ledger.tag}-${port}`;
  createNamespace(ledger, netns);
  const peer = ["peer", "name", "eth0", "netns", netns];
  runProgram("ip", ["-n", switchName, "link", "add", port, "type", "veth", ...peer]);
  runProgram("ip", ["-n", switchName, "link", "set", port, "master", BRIDGE, "up"]);
  runProgram("ip", ["-n", netns, "address", "add", `${ip}/24`, "dev", "eth0"]);
  runProgram("ip", ["-n", netns, "link", "set", "eth0", "up"]);
  return netns;
}

/** Rules in the switch, which the hosts cannot see. */
function setLoss(switchName: string, port: string, percent: number): void {
  const table = `loss_${port}`;
  const script = [`add table bridge ${table}`, `delete table bridge ${table}`];
  if (percent > 0) {
    const drop = percent >= 100 ? "drop" : `numgen random mod 100 < ${Math.round(percent)} drop`;
    script.push(
      `add table bridge ${table}`,
      `add chain bridge ${table} forward { type filter hook forward priority 0; }`,
      `add rule bridge ${table} forward iifname "${port}" ${drop}`,
      `add rule bridge ${table} forward oifname "${port}" ${drop}`,
    );
  }
  runInNamespace(switchName, "nft", [script.join("; ")]);
}

/** What a rule asks of a packet. */
function describePacket(dropped: Dropped): string {
  if (dropped === "everything") return "";
  if (dropped === "datagrams") return "ip protocol udp";
  return `ip protocol tcp tcp dport ${dropped.connectionsTo} tcp flags & (syn | ack) == syn`;
}

function setBlocks(
  switchName: string,
  ways: readonly (readonly [from: { name: string }, to: { name: string }])[],
  dropped: Dropped = "everything",
): void {
  const script = [
    "add table bridge blocks",
    "delete table bridge blocks",
    "add table bridge blocks",
    "add chain bridge blocks forward { type filter hook forward priority 0; }",
    ...ways.map(
      ([from, to]) =>
        `add rule bridge blocks forward iifname "${from.name}" oifname "${to.name}" ${describePacket(dropped)} drop`,
    ),
  ];
  runInNamespace(switchName, "nft", [script.join("; ")]);
}

function plugInHost(ledger: Ledger, switchName: string, index: number): PlainHost {
  const name = `h${index}`;
  const ip = `${NETWORK}.${index}`;
  const netns = plugIn(ledger, switchName, name, ip);
  const setCable = (state: "up" | "down"): void =>
    void runProgram("ip", ["-n", switchName, "link", "set", name, state]);
  return {
    name,
    netns,
    ip,
    endpoint: `unix://${ledger.directory}/no-engine.sock`,
    cutOff: () => setCable("down"),
    rejoin: () => setCable("up"),
    losePackets: (percent) => setLoss(switchName, name, percent),
  };
}

async function startHost(
  ledger: Ledger,
  switchName: string,
  index: number,
  options: LabEngineOptions,
): Promise<LabHost> {
  const host = plugInHost(ledger, switchName, index);
  const { name, netns } = host;
  return { ...host, ...(await startEngine({ ...options, ledger, netns, name })) };
}

/** Hosts `h1` to `hN` without engines, for what goes on between nodes alone: they are there at once. */
export function openPlainHosts(count: number): LabHosts<PlainHost> {
  if (count < 1 || count > HOSTS_MAX) throw new RangeError(`1 to ${HOSTS_MAX} hosts, not ${count}`);
  const ledger = openLedger();
  try {
    const switchName = createSwitch(ledger);
    const hosts = Array.from({ length: count }, (_, i) => plugInHost(ledger, switchName, i + 1));
    return {
      tag: ledger.tag,
      hosts,
      switchNetns: switchName,
      block: (ways, dropped) => setBlocks(switchName, ways, dropped),
      async [Symbol.asyncDispose]() {
        ledger.clear();
      },
    };
  } catch (error) {
    ledger.clear();
    throw error;
  }
}

/** Starts `count` hosts, `h1` to `hN`, at once. Throws when one of them does not start; nothing is left then. */
export async function startHosts(
  count: number,
  options: Pick<LabEngineOptions, "liveRestore" | "flags" | "ledger"> = {},
): Promise<LabHosts> {
  if (count < 1 || count > HOSTS_MAX) throw new RangeError(`1 to ${HOSTS_MAX} hosts, not ${count}`);
  const ledger = options.ledger ?? openLedger();
  try {
    const switchName = createSwitch(ledger);
    const starts = Array.from({ length: count }, (_, i) =>
      startHost(ledger, switchName, i + 1, options),
    );
    const settled = await Promise.allSettled(starts);
    const hosts = settled.map((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value;
    });
    return {
      tag: ledger.tag,
      hosts,
      switchNetns: switchName,
      block: (ways, dropped) => setBlocks(switchName, ways, dropped),
      async [Symbol.asyncDispose]() {
        await Promise.all(hosts.map((host) => host[Symbol.asyncDispose]()));
        ledger.clear();
      },
    };
  } catch (error) {
    ledger.clear();
    throw error;
  }
}
