// SPDX-License-Identifier: Apache-2.0
// What the kernel has, from iproute2's JSON: devices with their mark, their forwarding and neighbour entries.
import { z } from "zod";
import type { IpRunner } from "#netfilter/run-ip.ts";
import type { OverlayEntry, OverlayFact } from "#network/overlay.ts";
import { describeWay, nameDevice, normalizeAddress } from "#network/plan-overlay.ts";

/** The mark of a device: this and the network's name, as its alias. */
export const MARK = "fairlead:";

const Link = z.looseObject({
  ifname: z.string(),
  mtu: z.number(),
  flags: z.array(z.string()),
  master: z.string().optional(),
  ifalias: z.string().optional(),
  address: z.string().optional(),
  linkinfo: z.looseObject({
    info_data: z.looseObject({
      id: z.number(),
      local: z.string().optional(),
      local6: z.string().optional(),
      link: z.string().optional(),
      port: z.number(),
      learning: z.boolean().optional(),
      proxy: z.boolean().optional(),
    }),
    info_slave_data: z
      .looseObject({ learning: z.boolean().optional(), flood: z.boolean().optional() })
      .optional(),
  }),
});
type Link = z.infer<typeof Link>;

const Forwarding = z.looseObject({
  mac: z.string(),
  ifname: z.string().optional(),
  dst: z.string().optional(),
  viaIf: z.string().optional(),
  flags: z.array(z.string()).optional(),
  state: z.string().optional(),
});

const Bridge = z.looseObject({ ifname: z.string() });

const Neighbour = z.looseObject({
  dst: z.string(),
  dev: z.string().optional(),
  lladdr: z.string().optional(),
});

/** What stands on a host. */
export interface KernelState {
  /** Our devices. */
  readonly facts: readonly OverlayFact[];
  /** Identifiers and ports that others' devices have, as `VNI PORT`, and names of devices of theirs like ours. */
  readonly foreign: ReadonlySet<string>;
  /** Names of the bridges there are. */
  readonly bridges: ReadonlySet<string>;
}

/** How a foreign device is noted by what a device of ours would need. */
export function foreignKey(vni: number, port: number): string {
  return `${vni} ${port}`;
}

const normalize = (address: string): string => normalizeAddress(address) ?? address;

/** Ours by its mark; one without any mark that has our name for its identifier was made by us and not finished. */
function isOwn({ ifname, ifalias = "", linkinfo }: Link): boolean {
  return (
    ifalias.startsWith(MARK) || (ifalias === "" && ifname === nameDevice(linkinfo.info_data.id))
  );
}

function readFact(link: Link, entries: readonly OverlayEntry[]): OverlayFact {
  const { id, local, local6, link: tunnel, port, learning, proxy } = link.linkinfo.info_data;
  const slave = link.linkinfo.info_slave_data;
  const name = link.ifalias?.slice(MARK.length) ?? "";
  return {
    network: { name, vni: id, port, mtu: link.mtu },
    device: link.ifname,
    host: normalize(local ?? local6 ?? ""),
    bridge: link.master,
    tunnel,
    sound: name !== "" && learning === false && proxy === true,
    set: link.flags.includes("UP") && slave?.learning === false && slave.flood === false,
    entries,
  };
}

function readForwarding(item: unknown): readonly (readonly [string, OverlayEntry])[] {
  const { mac, ifname = "", dst, viaIf, flags = [], state } = Forwarding.parse(item);
  // A device's own address stands there as `permanent` without a place.
  if (flags.includes("self"))
    return dst === undefined
      ? []
      : [[ifname, { table: "forward", key: mac, value: describeWay(normalize(dst), viaIf) }]];
  return state === "static" ? [[ifname, { table: "bridge", key: mac, value: "" }]] : [];
}

function readNeighbour(item: unknown): readonly (readonly [string, OverlayEntry])[] {
  const { dst, dev = "", lladdr } = Neighbour.parse(item);
  return lladdr === undefined
    ? []
    : [[dev, { table: "neighbour", key: normalize(dst), value: lladdr }]];
}

const asList = (value: unknown): readonly unknown[] => z.array(z.unknown()).parse(value);

/** Reads all of a host with four questions, however many networks it has. Throws as `IpRunner.ask`. */
export async function readState(ip: IpRunner, signal?: AbortSignal): Promise<KernelState> {
  const answers = await Promise.all([
    ip.ask("ip", ["-d", "link", "show", "type", "vxlan"], signal),
    ip.ask("bridge", ["fdb", "show"], signal),
    ip.ask("ip", ["neigh", "show", "nud", "permanent"], signal),
    ip.ask("ip", ["link", "show", "type", "bridge"], signal),
  ]);
  const [links, forwarding, neighbours, bridges] = answers.map(asList);
  // A device without a VXLAN's data is one that is just going.
  const devices = (links ?? []).flatMap((item) => Link.safeParse(item).data ?? []);
  const found = [
    ...(forwarding ?? []).flatMap(readForwarding),
    ...(neighbours ?? []).flatMap(readNeighbour),
  ];
  const entries = Map.groupBy(found, ([device]) => device);
  const facts = devices.filter(isOwn).map((link) =>
    readFact(
      link,
      (entries.get(link.ifname) ?? []).map(([, entry]) => entry),
    ),
  );
  const foreign = devices
    .filter((link) => !isOwn(link))
    .flatMap(({ ifname, linkinfo: { info_data } }) => [
      ifname,
      foreignKey(info_data.id, info_data.port),
    ]);
  const names = (bridges ?? []).flatMap((item) => Bridge.safeParse(item).data?.ifname ?? []);
  return { facts, foreign: new Set(foreign), bridges: new Set(names) };
}
