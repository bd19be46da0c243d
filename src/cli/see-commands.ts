// SPDX-License-Identifier: Apache-2.0
import { type Command, OBJECT, SERVICES } from "./command.ts";
import { type Flag, LIST_FLAGS, SCOPE_FLAGS, TIME_FLAGS, WRITE_FLAGS } from "./flags.ts";

const tail: Flag = {
  name: "tail",
  short: "n",
  value: "count",
  text: "lines from the past of each instance (100; with --since all)",
};

/** Commands that look. */
export const SEE_COMMANDS: readonly Command[] = [
  {
    name: "status",
    group: "See",
    summary: "node, engine, scopes and alerts in a few lines",
    arguments: [],
    flags: LIST_FLAGS.slice(0, 1),
    writes: false,
    load: () => import("./commands/status.ts"),
  },
  {
    name: "ps",
    group: "See",
    summary: "instances",
    arguments: [SERVICES],
    flags: LIST_FLAGS,
    writes: false,
    load: () => import("./commands/ps.ts"),
  },
  {
    name: "services",
    group: "See",
    summary: "services, how they stand and why",
    arguments: [],
    flags: LIST_FLAGS,
    writes: false,
    load: () => import("./commands/services.ts"),
  },
  {
    name: "nodes",
    group: "See",
    summary:
      "nodes of the fleet, as this one sees them; `nodes rm NODE` removes one that is gone for good",
    arguments: [
      { name: "rm", required: false, many: false, value: ["rm"] },
      { name: "node", required: false, many: false },
    ],
    flags: [...LIST_FLAGS.slice(0, 2), ...WRITE_FLAGS.slice(1)],
    writes: true,
    examples: [
      ["nodes -o wide", "with labels, versions and certificates"],
      ["nodes --filter state=suspect", "those that are not heard"],
      ["nodes rm node-c", "node-c is gone for good; it has to join anew"],
    ],
    load: () => import("./commands/nodes.ts"),
  },
  {
    name: "placement",
    group: "Ask",
    summary: "why a service stands where it stands, node by node: explain SERVICE",
    arguments: [
      { name: "explain", required: true, many: false, value: ["explain"] },
      { name: "service", required: true, many: false, value: "service" },
    ],
    flags: SCOPE_FLAGS.slice(0, 1),
    writes: false,
    examples: [["placement explain web", "exits with 1 when an instance of it has no node"]],
    load: () => import("./commands/placement.ts"),
  },
  {
    name: "agents",
    group: "See",
    summary: "programs that joined the fabric, and what they serve",
    arguments: [],
    flags: LIST_FLAGS,
    writes: false,
    load: () => import("./commands/agents.ts"),
  },
  {
    name: "queues",
    group: "See",
    summary: "messages that are kept and not acknowledged, and dead letters",
    arguments: [],
    flags: LIST_FLAGS,
    writes: false,
    load: () => import("./commands/queues.ts"),
  },
  {
    name: "map",
    group: "See",
    summary:
      "how the agents of a scope are linked, where that would break, and who talks to whom; or what runs on which host",
    arguments: [],
    flags: [
      { name: "hosts", text: "the fleet: what runs on which host, and what lies between hosts" },
      { name: "observed", text: "only the links in use; what is shown without a topology" },
      { name: "csv", text: "the adjacency matrix as CSV" },
      { name: "dot", text: "the graph for Graphviz" },
      ...SCOPE_FLAGS.slice(0, 1),
    ],
    writes: false,
    load: () => import("./commands/map.ts"),
  },
  {
    name: "logs",
    group: "See",
    summary: "output of instances, merged by time",
    arguments: [SERVICES],
    flags: [
      { name: "follow", short: "f", text: "go on as lines come" },
      tail,
      { name: "timestamps", short: "t", text: "show the time of each line" },
      { name: "no-prefix", text: "leave the instance's name out" },
      ...TIME_FLAGS.slice(0, 1),
      ...SCOPE_FLAGS.slice(0, 1),
    ],
    writes: false,
    load: () => import("./commands/logs.ts"),
  },
  {
    name: "top",
    group: "See",
    summary: "CPU, memory and traffic of instances",
    arguments: [],
    flags: [{ name: "once", text: "one reading" }, ...LIST_FLAGS.slice(1)],
    writes: false,
    load: () => import("./commands/top.ts"),
  },
  {
    name: "events",
    group: "See",
    summary: "what happens, as it happens",
    arguments: [],
    flags: LIST_FLAGS.slice(1),
    writes: false,
    load: () => import("./commands/events.ts"),
  },
  {
    name: "alerts",
    group: "See",
    summary: "what a person should look at",
    arguments: [],
    flags: LIST_FLAGS,
    writes: false,
    load: () => import("./commands/alerts.ts"),
  },
  {
    name: "decisions",
    group: "See",
    summary: "what was done, when and why, newest first",
    arguments: [],
    flags: [
      { name: "limit", short: "n", value: "count", text: "how many (50)" },
      { name: "service", value: "service", text: "only of this service" },
      { name: "node", value: "text", text: "only of this node of the fleet" },
      {
        name: "outcome",
        value: ["pending", "done", "failed", "interrupted", "observed"],
        text: "only with this outcome",
      },
      ...TIME_FLAGS,
      ...LIST_FLAGS.slice(1),
    ],
    writes: false,
    load: () => import("./commands/decisions.ts"),
  },
];

/** Commands that explain. */
export const ASK_COMMANDS: readonly Command[] = [
  {
    name: "why",
    group: "Ask",
    summary: "explain an object, a decision, or where an agent's calls go",
    arguments: [OBJECT],
    flags: [
      {
        name: "to",
        value: "text",
        text: "of an agent: why its calls to that name go where they go",
      },
      ...SCOPE_FLAGS.slice(0, 1),
      ...TIME_FLAGS,
    ],
    writes: false,
    load: () => import("./commands/why.ts"),
  },
  {
    name: "explain",
    group: "Ask",
    summary:
      "explain a code, label, setting, state or exit status, offline; or network: which suits each service",
    arguments: [
      { name: "topic", required: false, many: false },
      { name: "service", required: false, many: false, value: "service" },
    ],
    flags: SCOPE_FLAGS.slice(0, 1),
    writes: false,
    load: () => import("./commands/explain.ts"),
  },
  {
    name: "inspect",
    group: "Ask",
    summary: "everything known of one instance",
    arguments: [OBJECT],
    flags: SCOPE_FLAGS.slice(0, 1),
    writes: false,
    load: () => import("./commands/inspect.ts"),
  },
];
