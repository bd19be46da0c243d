// SPDX-License-Identifier: Apache-2.0
// WireGuard: the kernel's where it has it, else Debian's wireguard-go, a process that goes on when the node ends. Packets
// find their way into the device by a rule for what was bound to it, so that hosts keep their addresses and all else its way.
import { FairleadError, isKind } from "#base/errors.ts";
import { netfilterErrors } from "#netfilter/errors.ts";
import { createIpRunner, type Ended } from "#netfilter/run-ip.ts";
import { networkErrors } from "#network/errors.ts";
import { normalizeAddress } from "#network/plan-overlay.ts";
import { formatEndpoint, planTunnel } from "#network/plan-tunnel.ts";
import type { Tunnel, TunnelChange, TunnelPeer, TunnelSpec, TunnelTurn } from "#network/tunnel.ts";
import { readTunnel, TUNNEL_MARK, TUNNEL_QUEUE, TUNNEL_TABLE } from "./read-tunnel.ts";

export interface WireguardOptions {
  /** Path of a network namespace, where it is not the process's own. */
  readonly netns?: string;
  /** Of this host; for looking only, what is wanted says its own. */
  readonly host?: string;
}

/** Peers in one command. */
const BATCH = 200;
/** As a shell has it, and nsenter: there is no such program. */
const NOT_FOUND = 127;

const words = (text: string): readonly string[] => text.split(" ");

function describePeer({ publicKey, address, endpoint }: TunnelPeer): readonly string[] {
  const bits = address?.includes(":") === true ? 128 : 32;
  const allowed = address === undefined ? "" : `${address}/${bits}`;
  return ["peer", publicKey, "endpoint", formatEndpoint(endpoint), "allowed-ips", allowed];
}

function missing(program: string, cause?: unknown): FairleadError {
  return new FairleadError(networkErrors["tunnel-tools"], `${program} cannot be run`, { cause });
}

/** Nothing is asked of the kernel before the first call. */
export function createWireguardTunnel(options: WireguardOptions = {}): Tunnel {
  const ip = createIpRunner(options.netns);
  let last: Promise<unknown> = Promise.resolve();

  async function run(command: readonly string[], signal?: AbortSignal): Promise<Ended> {
    const [program = ""] = command;
    const ended = await ip.run(command, "", signal).catch((thrown: unknown) => {
      throw isKind(thrown, netfilterErrors["ip-tools"]) ? missing(program, thrown) : thrown;
    });
    if (ended.code === NOT_FOUND) throw missing(program);
    return ended;
  }

  /** Returns what was complained of; empty when it worked. */
  async function tell(command: readonly string[], signal?: AbortSignal): Promise<string> {
    const { code, stderr } = await run(command, signal);
    return code === 0 || stderr.includes("File exists") ? "" : `${command[0] ?? ""}: ${stderr}`;
  }

  async function make(device: string, signal?: AbortSignal): Promise<string> {
    const added = await run(words(`ip link add ${device} type wireguard`), signal);
    return added.code === 0 ? "" : tell(["wireguard-go", device], signal);
  }

  async function set(spec: TunnelSpec, signal?: AbortSignal): Promise<string> {
    const { device, port, mtu, keyFile } = spec;
    const host = normalizeAddress(spec.host) ?? spec.host;
    const isIpv6 = host.includes(":");
    const commands = [
      ["wg", "set", device, "private-key", keyFile, "listen-port", String(port)],
      words(`ip link set ${device} mtu ${mtu} txqueuelen ${TUNNEL_QUEUE} alias ${TUNNEL_MARK}`),
      // Its own packets are of no use to anybody.
      words(`ip link set ${device} addrgenmode none`),
      words(`ip link set ${device} up`),
      // Without an address of its own, a kernel that looks whence packets come (rp_filter) takes none from it.
      ...(isIpv6 ? [] : [words(`ip address replace ${host}/32 dev ${device}`)]),
      words(
        `ip ${isIpv6 ? "-6" : "-4"} rule add oif ${device} lookup ${TUNNEL_TABLE} priority ${TUNNEL_TABLE}`,
      ),
    ];
    const complaints: string[] = [];
    for (const command of commands) complaints.push(await tell(command, signal));
    if (!isIpv6) await loosenFilter(device, signal);
    return complaints.filter((complaint) => complaint !== "").join("\n");
  }

  /** What comes out of the device is from hosts to which the plain way is another: a strict kernel would drop it. */
  async function loosenFilter(device: string, signal?: AbortSignal): Promise<void> {
    // Where it cannot be written, the host is asked by `net doctor` like any other that does not answer.
    await run(["sysctl", "-q", "-w", `net.ipv4.conf.${device}.rp_filter=2`], signal).catch(
      () => undefined,
    );
  }

  async function writePeers(
    device: string,
    changes: readonly TunnelChange[],
    signal?: AbortSignal,
  ): Promise<string> {
    const parts = changes.flatMap((change) => {
      if (change.kind === "peer") return [describePeer(change.peer)];
      return change.kind === "unpeer" ? [["peer", change.publicKey, "remove"]] : [];
    });
    const complaints: string[] = [];
    for (let at = 0; at < parts.length; at += BATCH) {
      const command = ["wg", "set", device, ...parts.slice(at, at + BATCH).flat()];
      complaints.push(await tell(command, signal));
    }
    return complaints.filter((complaint) => complaint !== "").join("\n");
  }

  function writeRoutes(
    { device, host }: TunnelSpec,
    changes: readonly TunnelChange[],
    signal?: AbortSignal,
  ): Promise<string> {
    const place = `dev ${device} table ${TUNNEL_TABLE}`;
    const lines = changes.flatMap((change) => {
      if (change.kind === "unroute") return [`route del ${change.address} ${place}`];
      return change.kind === "route"
        ? [`route replace ${change.address} ${place} src ${normalizeAddress(host) ?? host}`]
        : [];
    });
    return ip.batch("ip", lines, signal);
  }

  async function apply(spec: TunnelSpec, signal?: AbortSignal): Promise<TunnelTurn> {
    const { device } = spec;
    const look = () => readTunnel(ip, device, normalizeAddress(spec.host), signal);
    const before = await look();
    const changes = planTunnel(spec, before, Date.now());
    if (before !== undefined && changes.length === 0) return { changes, fact: before };
    const isAny = (kind: TunnelChange["kind"]): boolean =>
      changes.some((change) => change.kind === kind);
    const complaints = [
      isAny("make") ? await make(device, signal) : "",
      isAny("set") ? await set(spec, signal) : "",
      await writePeers(device, changes, signal),
      await writeRoutes(spec, changes, signal),
    ];
    const fact = await look();
    const left = planTunnel(spec, fact, Date.now());
    if (fact !== undefined && left.length === 0) return { changes, fact };
    const complaint = complaints.find((one) => one !== "") ?? `${device} is not as it was set`;
    throw new FairleadError(
      networkErrors["tunnel-refused"],
      complaint.split("\n")[0] ?? complaint,
      { facts: { device, left: left.map(({ kind }) => kind).join(" ") } },
    );
  }

  async function remove(device: string, signal?: AbortSignal): Promise<boolean> {
    for (const family of ["-4", "-6"])
      await run(words(`ip ${family} rule del oif ${device} lookup ${TUNNEL_TABLE}`), signal);
    return (await run(words(`ip link del ${device}`), signal)).code === 0;
  }

  /** Two that write at once would each take the other's for drift. */
  function inTurn<T>(task: () => Promise<T>): Promise<T> {
    const turn = last.then(task, task);
    last = turn.catch(() => undefined);
    return turn;
  }

  return {
    kind: "wireguard",
    observe: (device, { signal } = {}) =>
      inTurn(() => readTunnel(ip, device, options.host, signal)),
    apply: (spec, { signal } = {}) => inTurn(() => apply(spec, signal)),
    remove: (device, { signal } = {}) => inTurn(() => remove(device, signal)),
    async [Symbol.asyncDispose]() {
      await last;
    },
  };
}
