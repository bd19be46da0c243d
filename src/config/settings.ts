// SPDX-License-Identifier: Apache-2.0
// The one schema of a node's settings. Types, checks, defaults and docs/reference/config.md follow from it.
import { parsePolicy } from "@fairlead/routing/parse-policy.ts";
import { z } from "zod";
import { parseAddress, parseBlock } from "#base/addresses.ts";
import { parseDuration } from "#base/duration.ts";
import { parseSize } from "#base/size.ts";
import { explainStoreEndpoints, parseStoreEndpoints } from "./store-endpoints.ts";

/** Whether an ADDRESS:PORT means all addresses of the host. */
function isEveryAddress(text: string): boolean {
  const address = text.slice(0, text.lastIndexOf(":")).replace(/^\[|\]$/g, "");
  return address === "*" || parseAddress(address)?.value === 0n;
}

const numeric = (value: unknown): unknown =>
  typeof value === "string" && /^-?\d+$/.test(value.trim()) ? Number(value) : value;

function measured(
  parse: (text: string) => number,
): (value: unknown, context: z.RefinementCtx) => unknown {
  return (value, context) => {
    const plain = numeric(value);
    if (typeof plain !== "string") return plain;
    try {
      return parse(plain);
    } catch (thrown) {
      context.addIssue({ code: "custom", message: thrown instanceof Error ? thrown.message : "" });
      return z.NEVER;
    }
  };
}

const count = (min: number, max: number) =>
  z.preprocess(numeric, z.number().int().min(min).max(max));
const duration = (minMs: number, maxMs: number) =>
  z.preprocess(measured(parseDuration), z.number().min(minMs).max(maxMs));
const size = (minBytes: number, maxBytes: number) =>
  z.preprocess(measured(parseSize), z.number().int().min(minBytes).max(maxBytes));
const directory = z.string().regex(/^\//, "has to be an absolute path");
const filePath = z.string().regex(/^(\/.*)?$/, "has to be an absolute path, or empty");
const listen = z
  .string()
  .regex(/^(off|\S+:\d{1,5})$/, 'has to be ADDRESS:PORT, or "off"')
  .refine((text) => text === "off" || Number(text.slice(text.lastIndexOf(":") + 1)) <= 65_535, {
    message: "has a port above 65535",
  });
const route = z.string().superRefine((text, context) => {
  const parsed = parsePolicy(text);
  if (!parsed.ok) context.addIssue({ code: "custom", message: parsed.problem });
});
const hostName = z
  .string()
  .regex(
    /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/,
    "has to be letters, digits, . _ -, at most 63 characters",
  );

/** A node's settings, checked and complete. */
export const SettingsSchema = z.strictObject({
  version: z.literal(1).describe("Version of this file's form."),
  nodeName: hostName.describe("How this node is called in decisions and on the page."),
  stateDir: directory.describe("Directory of the store and the log; survives restarts."),
  socket: directory.describe("Path of the unix socket on which the API answers."),
  listen: listen.describe(
    "Address and port of the API with a token and of the page; TLS where others than this host reach it.",
  ),
  api: z.strictObject({
    certFile: filePath.describe(
      "Certificate (PEM) at listen, with what leads to who is believed; none: TLS by one that the node makes, off loopback.",
    ),
    keyFile: filePath.describe("Key (PEM) of that certificate."),
  }),
  logLevel: z
    .enum(["debug", "info", "warn", "error"])
    .describe("The least important lines that are still logged."),
  nodeLabels: z
    .string()
    .regex(
      /^([a-zA-Z0-9][\w./-]*=[^,=]*(,[a-zA-Z0-9][\w./-]*=[^,=]*)*)?$/,
      "has to be NAME=VALUE, with commas between",
    )
    .describe("What constraints on node.labels look at: labels of this node."),
  nodeDevices: z
    .string()
    .regex(
      /^([a-z0-9][\w.-]*=\d+(,[a-z0-9][\w.-]*=\d+)*)?$/,
      "has to be KIND=NUMBER, in small letters, with commas between",
    )
    .describe(
      "What a fleet may place here that asks for devices: how many of each kind there are.",
    ),
  resyncIntervalMs: duration(1_000, 3_600_000).describe(
    "How often facts are listed anew although no event asked for it.",
  ),
  store: z.strictObject({
    kind: z
      .enum(["sqlite", "etcd", "consul"])
      .describe("Where this node keeps its state: files in stateDir, or a running etcd or Consul."),
    endpoints: z
      .string()
      .refine((text) => parseStoreEndpoints(text) !== undefined, {
        error: ({ input }) => explainStoreEndpoints(String(input)),
      })
      .describe("Members of etcd, or agents of Consul with consul:// before them."),
    prefix: z
      .string()
      .regex(/^[\x20-\x7e]{0,128}$/, "has to be at most 128 printable ASCII characters")
      .describe("Stands before every key in etcd or Consul."),
    caFile: filePath.describe("Certificates (PEM) of who vouches for that store; none: no TLS."),
    certFile: filePath.describe("Certificate (PEM) by which this node proves who it is to it."),
    keyFile: filePath.describe("Key (PEM) of that certificate."),
    user: z.string().describe("Name of a user of etcd; empty where it has none."),
    passwordFile: filePath.describe("File with that user's password, or with a token of Consul."),
  }),
  engine: z.strictObject({
    endpoint: z
      .string()
      .describe(
        "unix:///path, tcp://host:port or a context's name; empty follows DOCKER_HOST and contexts.",
      ),
    parallelism: count(1, 256).describe("Writes to the engine that may be under way at once."),
  }),
  fabric: z.strictObject({
    socket: z
      .string()
      .regex(/^(\/.*)?$/, "has to be an absolute path, or empty")
      .describe("Path of the unix socket on which programs of this host join the fabric."),
    listen: listen.describe("Address and port on which others join the fabric with a ticket."),
    caFile: filePath.describe(
      "Certificates (PEM) of who vouches for those who dial fabric.listen.",
    ),
    certFile: filePath.describe("Certificate (PEM) of this node at fabric.listen; none: no TLS."),
    keyFile: filePath.describe("Key (PEM) of that certificate."),
    route: route.describe(
      "How callers choose among instances of a service that says nothing itself.",
    ),
    keepGroupsDays: count(1, 3_650).describe(
      "Days that a group of subscribers is kept which nobody reads, with the messages that wait for it.",
    ),
  }),
  dns: z.strictObject({
    listen: listen
      .refine((text) => !isEveryAddress(text), {
        message:
          "has to be one address, which containers are told to ask; for example that of the engine's bridge, 172.17.0.1:53",
      })
      .describe("IP address and port on which the node answers DNS for services and agents."),
    upstreams: z
      .string()
      .describe(
        "Name servers for all other names, IP:PORT with commas between; empty follows resolv.conf.",
      ),
  }),
  discovery: z.strictObject({
    multicast: z
      .enum(["auto", "on", "off"])
      .describe(
        "Whether agents of this node are told to other hosts by multicast, and theirs heard; auto: where there is a key.",
      ),
    keyFile: z
      .string()
      .regex(/^(\/.*)?$/, "has to be an absolute path, or empty")
      .describe(
        "File with the key by which hosts prove that they belong together: 16 bytes or more, the same on all.",
      ),
    group: z
      .string()
      .regex(/^(22[4-9]|23\d)(\.\d{1,3}){3}$/, "has to be an IPv4 multicast address")
      .describe("IPv4 address of the group."),
    port: count(1, 65_535).describe("UDP port of the group."),
    interface: z
      .string()
      .describe("Name or IPv4 address of the interface to use; empty takes the route's."),
    heartbeatMs: duration(100, 60_000).describe(
      "A host that is silent for twice as long is offline.",
    ),
    plainScope: z
      .string()
      .regex(/^([a-z0-9][a-z0-9_-]{0,62})?$/, "has to be the name of a scope, or empty")
      .describe(
        "Scope for what says HEARTBEAT|service|address without any proof; empty does not listen to it.",
      ),
    seeds: z
      .string()
      .regex(/^(\S+:\d{1,5}(,\S+:\d{1,5})*)?$/, "has to be HOST:PORT, with commas between")
      .describe("Other nodes to tell and to hear where multicast does not pass."),
    seedsListen: listen.describe(
      "IPv4 address and UDP port on which others that name this node as a seed are heard.",
    ),
  }),
  fleet: z.strictObject({
    name: z
      .string()
      .regex(
        /^([a-z0-9][a-z0-9-]{0,31})?$/,
        "has to be small letters, digits and -, at most 32, or empty",
      )
      .describe(
        "Fleet that this node belongs to; empty: none. Its roll is in the store of store.endpoints.",
      ),
    listen: listen
      .refine((text) => text !== "off", { message: "cannot be off" })
      .describe(
        "IP address and port at which other nodes ask whether this one lives (UDP) and for images (TCP).",
      ),
    address: z
      .string()
      .describe("IP address at which other nodes reach this one; empty: by the way to the store."),
    images: z
      .enum(["on", "off"])
      .describe(
        "Whether this node gets images that it lacks from other nodes, and gives them its own.",
      ),
  }),
  identity: z.strictObject({
    certFile: filePath.describe(
      "Certificate (PEM) of an authority of your own that signs, with what leads to a root.",
    ),
    keyFile: filePath.describe("Key (PEM, not encrypted) of that authority."),
    caFile: filePath.describe("Certificates (PEM) of the roots that are believed."),
  }),
  serviceAddresses: z
    .string()
    .regex(
      /^[0-9a-fA-F.:/]+(,[0-9a-fA-F.:/]+)?$/,
      "has to be ADDRESS/LENGTH, with a comma before a second one",
    )
    .superRefine((text, context) => {
      const wrong = text.split(",").find((one) => parseBlock(one) === undefined);
      if (wrong !== undefined)
        context.addIssue({ code: "custom", message: `${wrong} is no block of addresses` });
    })
    .describe(
      "A block of IPv4 addresses, and one of IPv6 addresses, of which services get theirs; alike on all nodes.",
    ),
  overlay: z.strictObject({
    addresses: z
      .string()
      .regex(
        /^[0-9a-fA-F.:/]+(,[0-9a-fA-F.:/]+)*$/,
        "has to be ADDRESS/LENGTH, with commas between",
      )
      .describe(
        "Blocks from which networks with the driver vxlan get their addresses; alike on all nodes.",
      ),
    port: count(1, 65_535).describe(
      "UDP port between the hosts of such a network; alike on all nodes.",
    ),
    encryption: z
      .enum(["off", "wireguard"])
      .describe(
        "Whether such networks are encrypted between hosts where their files do not say; alike on all nodes.",
      ),
    tunnelPort: count(1, 65_535).describe("UDP port on which this host takes encrypted packets."),
    rotateDays: count(1, 3_650).describe("Days after which this host changes its key."),
    shortcut: z
      .enum(["auto", "off"])
      .describe(
        "Whether TCP and UDP between instances on two hosts go past the bridges of such networks, where the kernel can do that.",
      ),
  }),
  audit: z.strictObject({
    headFile: filePath.describe(
      "File in which the newest signed head of the audit log is kept too; best on another disk.",
    ),
    file: filePath.describe("File to which each line of the audit log is added too."),
    syslog: z
      .string()
      .regex(
        /^((udp|tcp):\/\/\S+:\d{1,5})?$/,
        "has to be udp://HOST:PORT or tcp://HOST:PORT, or empty",
      )
      .describe("Syslog (RFC 5424) to which each line of the audit log is sent too."),
    keepDays: count(1, 36_500).describe("Days that the audit log's own files are kept."),
    sizeMaxBytes: size(33_554_432, 1_099_511_627_776).describe(
      "Bytes of the audit log's own files; the oldest go first.",
    ),
  }),
  decisions: z.strictObject({
    keepDays: count(1, 3_650).describe("Days that decisions are kept."),
    sizeMaxBytes: size(1_048_576, 1_099_511_627_776).describe(
      "Bytes of decisions that are kept; the oldest go first.",
    ),
  }),
});
/** A node's settings, checked and complete. */
export type Settings = z.infer<typeof SettingsSchema>;

/** The labels of a node, by name. */
export function readNodeLabels({
  nodeLabels,
}: Pick<Settings, "nodeLabels">): Record<string, string> {
  const pairs = nodeLabels === "" ? [] : nodeLabels.split(",");
  return Object.fromEntries(pairs.map((pair) => pair.split("=", 2) as [string, string]));
}

/** How many devices of each kind a node has. */
export function readNodeDevices({
  nodeDevices,
}: Pick<Settings, "nodeDevices">): Record<string, number> {
  const pairs = nodeDevices === "" ? [] : nodeDevices.split(",");
  return Object.fromEntries(
    pairs.map((pair) => {
      const [kind = "", amount] = pair.split("=", 2);
      return [kind, Number(amount)];
    }),
  );
}
