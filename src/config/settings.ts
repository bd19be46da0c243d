// SPDX-License-Identifier: Apache-2.0
// The one schema of a node's settings. Types, checks, defaults and docs/reference/config.md follow from it.
import { parsePolicy } from "@fairlead/routing/parse-policy.ts";
import { z } from "zod";
import { parseDuration } from "#base/duration.ts";
import { parseSize } from "#base/size.ts";

/** What the reference says of a setting besides its meaning. */
export interface SettingNotes {
  /** What changes when it is raised or switched. */
  readonly effect: string;
  /** What that costs. */
  readonly cost: string;
  /** The default in words, when it depends on the machine. */
  readonly otherwise?: string;
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
  listen: listen.describe("Loopback address and port of the API with a token and of the page."),
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
      .enum(["sqlite", "etcd"])
      .describe("Where this node keeps its state: files in stateDir, or a running etcd."),
    endpoints: z
      .string()
      .regex(/^\S+:\d{1,5}(,\S+:\d{1,5})*$/, "has to be HOST:PORT, with commas between")
      .describe("Members of etcd."),
    prefix: z
      .string()
      .regex(/^[\x20-\x7e]{0,128}$/, "has to be at most 128 printable ASCII characters")
      .describe("Stands before every key in etcd."),
    caFile: filePath.describe("Certificates (PEM) of who vouches for etcd; none: no TLS."),
    certFile: filePath.describe("Certificate (PEM) by which this node proves who it is to etcd."),
    keyFile: filePath.describe("Key (PEM) of that certificate."),
    user: z.string().describe("Name of a user of etcd; empty where it has none."),
    passwordFile: filePath.describe("File with that user's password."),
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
    listen: listen.describe(
      "IP address and port on which the node answers DNS for services and agents.",
    ),
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
        "Fleet that this node belongs to; empty: none. Its roll is in the etcd of store.endpoints.",
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
  }),
  audit: z.strictObject({
    headFile: filePath.describe(
      "File in which the newest signed head of the audit log is kept too; best on another disk.",
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

/** Notes by dotted path; a test holds it to the schema. */
export const SETTING_NOTES: Readonly<Record<string, SettingNotes>> = {
  version: { effect: "none", cost: "none" },
  nodeName: { effect: "names this node", cost: "none", otherwise: "the host's name" },
  stateDir: {
    effect: "moves the store",
    cost: "an existing store stays where it was",
    otherwise: "/var/lib/fairlead as root, else $XDG_STATE_HOME/fairlead",
  },
  socket: {
    effect: "moves the socket; commands have to be told with FAIRLEAD_SOCKET",
    cost: "none",
    otherwise: "/run/fairlead/fairlead.sock as root, else $XDG_RUNTIME_DIR/fairlead/fairlead.sock",
  },
  listen: {
    effect: '"off" leaves only the unix socket; another port or loopback address moves the page',
    cost: "other addresses are refused (FL0501), since there is no TLS; elsewhere use `ssh -L 7117:127.0.0.1:7117 HOST`",
  },
  logLevel: { effect: "debug tells every pass", cost: "disk" },
  nodeLabels: {
    effect: "services whose deploy.placement.constraints are not met are not started",
    cost: "none",
  },
  nodeDevices: {
    effect:
      "gpu=2 lets services with two GPUs in their reservations be placed here; nothing said: none",
    cost: "none",
  },
  resyncIntervalMs: {
    effect: "lower repairs missed events sooner",
    cost: "one list of all containers each time",
  },
  "store.kind": {
    effect: "etcd outlives this host; `fairlead store migrate` takes along what is there",
    cost: "each write takes as long as etcd's majority needs, and there is none while that is away",
  },
  "store.endpoints": { effect: "all members, so that one may be away", cost: "none" },
  "store.prefix": {
    effect: "another one is another store",
    cost: "two nodes must not have the same",
    otherwise: "/fairlead/NODENAME/",
  },
  "store.caFile": { effect: "switches TLS on", cost: "none" },
  "store.certFile": { effect: "needed where etcd asks for certificates", cost: "none" },
  "store.keyFile": { effect: "needed with store.certFile", cost: "none" },
  "store.user": { effect: "needed where etcd has users", cost: "none" },
  "store.passwordFile": { effect: "needed with store.user", cost: "none" },
  "engine.endpoint": {
    effect: "names the engine",
    cost: "none",
    otherwise: "$DOCKER_HOST, else the current context",
  },
  "engine.parallelism": {
    effect: "higher starts many containers sooner, up to about 32 on two cores",
    cost: "engine memory and latency of other clients",
  },
  "fabric.socket": {
    effect: "moves the socket; programs have to be told with FAIRLEAD_FABRIC",
    cost: "none",
    otherwise: "fabric/fabric.sock in the directory of socket",
  },
  "fabric.listen": {
    effect: "lets programs join that cannot open a socket of this host",
    cost: "frames are not encrypted unless fabric.certFile is said",
  },
  "fabric.caFile": { effect: "needed with fabric.certFile", cost: "none" },
  "fabric.certFile": {
    effect: "whoever dials has to have a certificate too; read again when the files change",
    cost: "see the bench mtls",
  },
  "fabric.keyFile": { effect: "needed with fabric.certFile", cost: "none" },
  "fabric.route": {
    effect: "agents follow it from when they next join",
    cost: "none",
  },
  "fabric.keepGroupsDays": {
    effect: "subscribers may stay away for longer; counted is the time in which the node runs",
    cost: "disk, until the log is full and refuses messages",
  },
  "dns.listen": {
    effect: "containers that Fairlead makes are told to ask there when its port is 53",
    cost: "names of services can be read by whoever reaches the address",
  },
  "dns.upstreams": {
    effect: "names outside of fairlead.internal are asked there",
    cost: "none",
    otherwise: "the name servers of /etc/resolv.conf",
  },
  "discovery.multicast": {
    effect: "on: it is an error when there is no key; off: nothing is sent to the group",
    cost: "names and addresses of agents can be read by whoever reads the network",
  },
  "discovery.keyFile": {
    effect: "names the key",
    cost: "whoever has it can tell of agents that are not there",
    otherwise: "discovery-key in stateDir, if there is one",
  },
  "discovery.group": { effect: "hosts see those of the same group only", cost: "none" },
  "discovery.port": { effect: "hosts see those of the same port only", cost: "none" },
  "discovery.interface": { effect: "names the network in which hosts are found", cost: "none" },
  "discovery.heartbeatMs": {
    effect: "lower sees sooner that a host is dead",
    cost: "three datagrams a heartbeat from each host to all others",
  },
  "discovery.plainScope": {
    effect: "shows programs that only say HEARTBEAT, with `plain` as their source",
    cost: "anybody in the network can make such a line; nothing is ever sent there",
  },
  "discovery.seeds": {
    effect: "of two nodes one has to name the other",
    cost: "three datagrams a heartbeat to each",
  },
  "discovery.seedsListen": {
    effect: '"off" neither hears nor tells seeds; unused where there is no key',
    cost: "a UDP port that answers nobody without the key",
  },
  "fleet.name": {
    effect: "`fairlead nodes` shows the others of that name, and how they do",
    cost: "ten small datagrams a second",
  },
  "fleet.listen": {
    effect: "moves the port",
    cost: "answers nobody who does not have the fleet's key",
  },
  "fleet.address": {
    effect: "needed where the store is on this host, or other nodes see it at another address",
    cost: "none",
    otherwise: "the address by which this host reaches the first of store.endpoints",
  },
  "fleet.images": {
    effect: "off: each host needs its images from a registry, or loaded",
    cost: "any node of the fleet can read this engine's images",
  },
  "overlay.addresses": {
    effect: "new networks get others; those that are there keep theirs",
    cost: "what is in them is not reached elsewhere by containers",
  },
  "overlay.port": {
    effect: "new networks use it; those that are there keep theirs",
    cost: "the firewalls between the hosts have to let it through, and nobody else to it",
  },
  "audit.headFile": {
    effect: "a log that was cut or put back to an older copy is told by this file too",
    cost: "a small write with each line of the log",
  },
  "decisions.keepDays": {
    effect: "a longer past for why",
    cost: "disk, up to decisions.sizeMaxBytes",
  },
  "decisions.sizeMaxBytes": { effect: "a longer past for why", cost: "disk" },
};
