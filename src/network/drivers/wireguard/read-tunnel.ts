// SPDX-License-Identifier: Apache-2.0
// The device that encrypts, as iproute2 and `wg` show it.
import { z } from "zod";
import type { IpRunner } from "#netfilter/run-ip.ts";
import { normalizeAddress } from "#network/plan-overlay.ts";
import type { TunnelFact, TunnelPeerFact } from "#network/tunnel.ts";

/** The routing table, and the rule that leads to it, of what is sent through the device; nothing else looks there. */
export const TUNNEL_TABLE = 4_790;
/** The mark of the device, as its alias. */
export const TUNNEL_MARK = "fairlead:tunnel";
/** What waits while wireguard-go is busy; its own 500 packets are less than one burst. */
export const TUNNEL_QUEUE = 5_000;

const Link = z.looseObject({
  ifname: z.string(),
  mtu: z.number(),
  flags: z.array(z.string()),
  ifalias: z.string().optional(),
  txqlen: z.number().optional(),
  linkinfo: z.looseObject({ info_kind: z.string() }).optional(),
});
const Rule = z.looseObject({ oif: z.string().optional(), table: z.string().optional() });
const Route = z.looseObject({ dst: z.string() });
const Addresses = z.looseObject({
  addr_info: z.array(z.looseObject({ local: z.string().optional() })).optional(),
});

const parseList = <T>(schema: z.ZodType<T>, text: string): T[] => {
  if (text.trim() === "") return [];
  return z
    .array(z.unknown())
    .parse(JSON.parse(text))
    .flatMap((item) => schema.safeParse(item).data ?? []);
};

function readPeer(line: string): TunnelPeerFact | undefined {
  const [publicKey = "", , endpoint, allowed = "", handshake, , sent] = line.split("\t");
  if (publicKey === "") return undefined;
  const [address] = allowed.split("/");
  const handshakeAtMs = Number(handshake) * 1_000;
  return {
    publicKey,
    address: allowed === "(none)" ? undefined : normalizeAddress(address ?? ""),
    endpoint: endpoint === "(none)" ? undefined : endpoint,
    handshakeAtMs: handshakeAtMs > 0 ? handshakeAtMs : undefined,
    sentBytes: Number(sent ?? 0),
  };
}

/** What `wg show DEVICE dump` says. Its first field is the private key, which is dropped here. */
export function readDump(text: string): {
  readonly publicKey: string;
  readonly port: number;
  readonly peers: readonly TunnelPeerFact[];
} {
  const [own = "", ...lines] = text.split("\n");
  const [, publicKey = "", port = ""] = own.split("\t");
  return { publicKey, port: Number(port), peers: lines.flatMap((line) => readPeer(line) ?? []) };
}

/**
 * Reads it; undefined when there is no such device. `host` is this host's address, by whose family it looks. Throws as
 * `IpRunner.run`.
 */
export async function readTunnel(
  ip: IpRunner,
  device: string,
  host: string | undefined,
  signal?: AbortSignal,
): Promise<TunnelFact | undefined> {
  // What fails may have begun its answer.
  const ask = async (...args: string[]): Promise<string> => {
    const { code, stdout } = await ip.run(["ip", "-j", ...args], "", signal);
    return code === 0 ? stdout : "";
  };
  const [link] = parseList(Link, await ask("-d", "link", "show", "dev", device));
  if (link === undefined) return undefined;
  const family = host?.includes(":") === true ? "-6" : "-4";
  const [dump, rules, routes, addresses] = await Promise.all([
    ip.run(["wg", "show", device, "dump"], "", signal),
    ask(family, "rule", "show"),
    // A table without routes is none, which is complained of.
    ask(family, "route", "show", "table", String(TUNNEL_TABLE), "dev", device),
    ask("address", "show", "dev", device),
  ]);
  const hasRule = parseList(Rule, rules).some(
    ({ oif, table }) => oif === device && table === String(TUNNEL_TABLE),
  );
  const own = parseList(Addresses, addresses).flatMap(({ addr_info = [] }) => addr_info);
  const hasAddress = family === "-6" || own.some(({ local }) => local === host);
  return {
    ...readDump(dump.stdout),
    device,
    way: link.linkinfo?.info_kind === "wireguard" ? "kernel" : "wireguard-go",
    mtu: link.mtu,
    set:
      link.flags.includes("UP") &&
      link.ifalias === TUNNEL_MARK &&
      link.txqlen === TUNNEL_QUEUE &&
      hasRule &&
      hasAddress,
    routes: parseList(Route, routes).flatMap(({ dst }) => normalizeAddress(dst) ?? []),
  };
}
