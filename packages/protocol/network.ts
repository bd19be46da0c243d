// SPDX-License-Identifier: Apache-2.0
// A network that spans hosts, as the node that was asked sees it.
import { z } from "zod";

/** How packets of encrypted networks to and from a host are encrypted. */
export const HostTunnel = z.strictObject({
  publicKey: z.string(),
  /** When the key was made, by that host's clock. */
  madeAtMs: z.number(),
  /** Who encrypts; said of the host that was asked. */
  way: z.enum(["kernel", "wireguard-go", "none"]).optional(),
  /** When it and the host that was asked last agreed on a key for packets. */
  agreedAtMs: z.number().optional(),
  /** It was asked for one, and has never answered. */
  silent: z.boolean(),
});
export type HostTunnel = z.infer<typeof HostTunnel>;

/** A host that takes part in a network. */
export const NetworkHost = z.strictObject({
  /** Id of its node. */
  node: z.string(),
  /** How its node is called; the id where the roll does not have it. */
  name: z.string(),
  self: z.boolean(),
  /** Which of the network's addresses it gives away. */
  ranges: z.array(z.string()),
  /** Instances on the network there, by MAC. */
  instances: z.array(z.strictObject({ mac: z.string(), addresses: z.array(z.string()) })),
  /** Absent where packets are not encrypted, or the host has no key. */
  tunnel: HostTunnel.optional(),
});
export type NetworkHost = z.infer<typeof NetworkHost>;

/** What another node has written that is not believed. */
export const RefusedAddress = z.strictObject({
  host: z.string(),
  mac: z.string(),
  addresses: z.array(z.string()),
  why: z.string(),
});
export type RefusedAddress = z.infer<typeof RefusedAddress>;

/** How packets between this host's instances on a network and those of other hosts go. */
export const NetworkShortcut = z.strictObject({
  /** How many instances have theirs go past the bridge, and with it past the host's iptables. */
  instances: z.number().int(),
  /** Why there are none. */
  why: z.string().optional(),
});
export type NetworkShortcut = z.infer<typeof NetworkShortcut>;

/** A network that spans hosts. */
export const NetworkView = z.strictObject({
  /** As the engines call it. */
  name: z.string(),
  /** VXLAN network identifier. */
  vni: z.number().int(),
  /** UDP port between the hosts. */
  port: z.number().int(),
  /** The largest packet inside, bytes. */
  mtu: z.number().int(),
  subnets: z.array(z.string()),
  /** Whether packets between hosts are encrypted. */
  encrypted: z.boolean(),
  /** `joined`: this host takes part. `elsewhere`: only others do. `broken`: see `problem`. */
  state: z.enum(["joined", "elsewhere", "broken"]),
  problem: z.string().optional(),
  /** This host's device and bridge for it. */
  device: z.string().optional(),
  bridge: z.string().optional(),
  /** Absent where this host takes no part. */
  shortcut: NetworkShortcut.optional(),
  hosts: z.array(NetworkHost),
  refused: z.array(RefusedAddress),
});
export type NetworkView = z.infer<typeof NetworkView>;

/** Answer of `POST /v1/networks/rotate`. */
export const RotationAnswer = z.strictObject({
  /** How many hosts have a key, and change it within seconds. */
  hosts: z.number().int(),
});
export type RotationAnswer = z.infer<typeof RotationAnswer>;

/** What was measured of the way to another node. */
export const PathView = z.strictObject({
  /** Name of the node that was asked, and of the other. */
  from: z.string(),
  to: z.string(),
  /** Id of the other. */
  node: z.string(),
  address: z.string(),
  /** The largest packet that arrives, bytes, headers included; absent until the other has answered. */
  mtu: z.number().int().optional(),
  /** The largest that the kernel sends in one piece. */
  ceiling: z.number().int().optional(),
  /** Packets between the two vanish, and no router says so. */
  blackHole: z.boolean(),
  /** When it was measured. */
  atMs: z.number().optional(),
});
export type PathView = z.infer<typeof PathView>;

/** How a service is on a network. `shared`: in another's network namespace. `other`: a driver that Fairlead knows nothing of. */
export const NetworkKind = z.enum([
  "bridge",
  "vxlan",
  "overlay",
  "host",
  "none",
  "macvlan",
  "ipvlan",
  "shared",
  "other",
]);
export type NetworkKind = z.infer<typeof NetworkKind>;

/** A service on one network: what that is, and what would suit it. */
export const NetworkAdvice = z.strictObject({
  scope: z.string(),
  service: z.string(),
  /** As the engine calls it; absent where the service is on none. */
  network: z.string().optional(),
  has: NetworkKind,
  /** Whether packets between hosts are encrypted. */
  encrypted: z.boolean(),
  /** The largest packet inside, bytes; absent where it is not known. */
  mtu: z.number().int().optional(),
  /** Names of the nodes on which the service stands. */
  nodes: z.array(z.string()),
  suits: NetworkKind,
  /** Why, in one sentence. */
  why: z.string(),
  /** Measured by `npm run bench -- overlay`: one TCP connection against the hosts' own network, and microseconds that a question takes longer. */
  cost: z.strictObject({ throughput: z.number(), addedUs: z.number() }).optional(),
  /** What else is to be known. */
  notes: z.array(z.string()),
});
export type NetworkAdvice = z.infer<typeof NetworkAdvice>;
