// SPDX-License-Identifier: Apache-2.0
import type { Argument, Command } from "./command.ts";
import { type Flag, SCOPE_FLAGS, WRITE_FLAGS } from "./flags.ts";

const reason = WRITE_FLAGS.filter(({ name }) => name === "reason");

const NODE: Argument = { name: "node", required: true, many: false };
const name: Flag = {
  name: "name",
  value: "text",
  text: "how this node is called (the host's name)",
};
const address: Flag = {
  name: "address",
  value: "text",
  text: "IP address at which other nodes reach this one (by the way to the store)",
};
const STORE_FLAGS: readonly Flag[] = [
  { name: "cert-file", value: "file", text: "certificate (PEM) for a store that asks for one" },
  { name: "key-file", value: "file", text: "key (PEM) of that certificate" },
  { name: "user", value: "text", text: "user of the store, where it has users" },
  {
    name: "password-file",
    value: "file",
    text: "file with that user's password, or with a token of Consul",
  },
];

/** Commands about the fleet and its nodes. */
export const FLEET_COMMANDS: readonly Command[] = [
  {
    name: "net",
    group: "See",
    summary:
      "networks that span hosts, and addresses of services: ls, inspect NAME, doctor, or rotate the networks' keys",
    arguments: [
      {
        name: "ls|inspect|doctor|rotate",
        required: true,
        many: false,
        value: ["ls", "inspect", "doctor", "rotate"],
      },
      { name: "name", required: false, many: false, after: ["inspect"] },
    ],
    flags: reason,
    writes: false,
    examples: [
      ["net ls", "networks, and addresses of services"],
      ["net inspect shop_default", "who is where on it, and with which key"],
      ["net inspect web", "who is behind the address of web"],
      ["net doctor", "exits with 1 when something is broken, or large packets vanish"],
    ],
    load: () => import("./commands/net.ts"),
  },
  {
    name: "identity",
    group: "Admin",
    summary:
      "who proves to be which node and service: ls, revoke NAME (a node, container or service), or rotate the authority",
    arguments: [
      {
        name: "ls|revoke|rotate",
        required: true,
        many: false,
        value: ["ls", "revoke", "rotate"],
      },
      { name: "name", required: false, many: false, after: ["revoke"] },
    ],
    flags: [
      { name: "revoked", text: "with ls: those of containers that are believed no more" },
      ...SCOPE_FLAGS.filter((flag) => flag.name === "scope"),
      ...reason,
    ],
    writes: true,
    load: () => import("./commands/identity.ts"),
  },
  {
    name: "fleet",
    group: "Set up",
    summary:
      "fleet create NAME: begin a fleet on an etcd or a Consul that runs, with this host as its first node",
    arguments: [
      { name: "create", required: true, many: false, value: ["create"] },
      { name: "name", required: false, many: false },
    ],
    flags: [
      {
        name: "store",
        value: "text",
        text: "HOST:PORT,… of etcd's members, or consul://HOST:PORT,… (store.endpoints)",
      },
      { name: "ca-file", value: "file", text: "certificates (PEM) of who vouches for that store" },
      ...STORE_FLAGS,
      name,
      address,
    ],
    writes: true,
    examples: [
      ["fleet create harbour --store store:2379", "on an etcd"],
      ["fleet create harbour --store consul://store:8500", "on a Consul"],
    ],
    load: () => import("./commands/fleet.ts"),
  },
  {
    name: "join",
    group: "Set up",
    summary:
      "take part in a fleet, with a token that `fairlead token create` printed on one of its nodes",
    arguments: [{ name: "token", required: true, many: false }],
    flags: [name, address, ...STORE_FLAGS],
    writes: true,
    examples: [
      ["join flj1_…", "the line that `fairlead token create` printed"],
      ["join flj1_… --name node-b --address 10.0.0.6", "under this name, reached there"],
    ],
    load: () => import("./commands/join.ts"),
  },
  {
    name: "leave",
    group: "Set up",
    summary: "take this host out of its fleet and put its settings back",
    arguments: [],
    flags: [{ name: "force", text: "also when the fleet cannot be told" }, ...reason],
    writes: true,
    examples: [["drain node-b && fairlead leave", "once its instances are elsewhere"]],
    load: () => import("./commands/leave.ts"),
  },
  {
    name: "cordon",
    group: "Change",
    summary: "place nothing new on a node",
    arguments: [NODE],
    flags: reason,
    writes: true,
    examples: [['cordon node-b --reason "new disks"', "what is there stays"]],
    load: () => import("./commands/cordon.ts"),
  },
  {
    name: "uncordon",
    group: "Change",
    summary: "place services on a node again",
    arguments: [NODE],
    flags: reason,
    writes: true,
    examples: [["uncordon node-b", "ends `cordon` and `drain`"]],
    load: () => import("./commands/uncordon.ts"),
  },
  {
    name: "drain",
    group: "Change",
    summary: "let everything that runs on a node go elsewhere, and place nothing new there",
    arguments: [NODE],
    flags: reason,
    writes: true,
    examples: [
      ['drain node-b --reason "new disks"', "each instance runs there until it is well elsewhere"],
    ],
    load: () => import("./commands/drain.ts"),
  },
  {
    name: "rights",
    group: "Admin",
    summary:
      "what agents may do with each other: ls, apply -f FILE, rm NAME, test or allow CALLER TARGET",
    arguments: [
      {
        name: "ls|apply|rm|test|allow",
        required: true,
        many: false,
        value: ["ls", "apply", "rm", "test", "allow"],
      },
      { name: "caller", required: false, many: false, after: ["rm", "test", "allow"] },
      { name: "target", required: false, many: false, after: ["test", "allow"] },
    ],
    flags: [
      ...SCOPE_FLAGS.filter((flag) => flag.name === "scope"),
      { name: "file", short: "f", value: "file", text: "apply: policies in Cedar" },
      { name: "name", value: "text", text: "apply: what they are called (the file's name)" },
      {
        name: "action",
        value: ["call", "publish", "subscribe"],
        text: "test, allow: TARGET is a subject but for call (call)",
      },
      { name: "for", value: "duration", text: "allow: how long (1h)" },
      ...reason,
    ],
    writes: true,
    load: () => import("./commands/rights.ts"),
  },
  {
    name: "user",
    group: "Admin",
    summary: "who may use this node's API: ls, add NAME, rm NAME, token NAME, or revoke NAME ID",
    arguments: [
      {
        name: "ls|add|rm|token|revoke",
        required: true,
        many: false,
        value: ["ls", "add", "rm", "token", "revoke"],
      },
      { name: "name", required: false, many: false, after: ["add", "rm", "token", "revoke"] },
      { name: "id", required: false, many: false, after: ["revoke"] },
    ],
    flags: [
      {
        name: "role",
        value: ["viewer", "operator", "admin"],
        text: "add: look (viewer), run what is there (operator), decide who may what (admin)",
      },
      { name: "ttl", value: "duration", text: "token: how long it is good, 1m to 366d (90d)" },
      ...reason,
    ],
    writes: true,
    load: () => import("./commands/user.ts"),
  },
  {
    name: "token",
    group: "Admin",
    summary: "tokens with which hosts join the fleet: create, ls, or revoke ID",
    arguments: [
      { name: "create|ls|revoke", required: true, many: false, value: ["create", "ls", "revoke"] },
      { name: "id", required: false, many: false, after: ["revoke"] },
    ],
    flags: [
      { name: "ttl", value: "duration", text: "how long it is good, 1m to 24h (1h)" },
      { name: "uses", value: "count", text: "how many hosts may join with it (1)" },
      {
        name: "store",
        value: "text",
        text: "HOST:PORT,… where other hosts reach the store; default: as this node does",
      },
      ...reason,
    ],
    writes: true,
    examples: [
      ["token create", "one host may join within an hour"],
      ["token create --ttl 1d --uses 3", "three hosts within a day"],
      ["token revoke tok_1M8FQ8N059H2EV", "nobody joins with it any more"],
    ],
    load: () => import("./commands/token.ts"),
  },
];
