// SPDX-License-Identifier: Apache-2.0
import type { Command } from "./command.ts";
import { LIST_FLAGS, SCOPE_FLAGS, TIME_FLAGS, WRITE_FLAGS } from "./flags.ts";

const SINCE = { name: "since", value: "time" } as const;
const VERBS = ["ls", "show", "apply", "rm", "mode", "enforce", "test", "suggest", "try"];

/** Commands about who may talk to whom. */
export const POLICY_COMMANDS: readonly Command[] = [
  {
    name: "policy",
    group: "Change",
    summary:
      "network policy: ls, show NAME, apply FILE, rm NAME, mode off|watch|enforce SCOPE, enforce SCOPE; test FILE runs its tests, suggest SCOPE writes what was seen, try FILE says what it would change",
    arguments: [
      { name: VERBS.join("|"), required: true, many: false, value: VERBS },
      { name: "file|name|mode|scope", required: false, many: true },
    ],
    flags: [
      {
        name: "mode",
        value: ["off", "watch", "enforce"],
        text: "with apply: also the mode of the scopes in the file",
      },
      {
        name: "for",
        value: "duration",
        text: "with try: go on for so long, also with what is seen then",
      },
      { ...SINCE, text: "with suggest and try: only what was seen since (10m)" },
      { name: "denied", text: "with suggest: also what policy drops now" },
      ...SCOPE_FLAGS,
      ...WRITE_FLAGS,
    ],
    writes: true,
    load: () => import("./commands/policy.ts"),
  },
  {
    name: "flows",
    group: "See",
    summary: "who was seen talking to whom, and what policy said to it",
    arguments: [],
    flags: [
      { name: "follow", short: "f", text: "go on as they are seen" },
      { name: "limit", short: "n", value: "count", text: "how many; with --follow it ends then" },
      { name: "denied", text: "only what was dropped, or would have been" },
      { name: "service", value: "service", text: "only with this service or instance" },
      { name: "node", value: "text", text: "only what this node of the fleet saw" },
      { name: "from", value: "service", text: "only begun by it" },
      { name: "to", value: "service", text: "only to it" },
      ...TIME_FLAGS.slice(0, 1),
      ...LIST_FLAGS.slice(1),
    ],
    writes: false,
    load: () => import("./commands/flows.ts"),
  },
  {
    name: "can",
    group: "Ask",
    summary: "may one talk to the other: declared, installed, and tried with a packet",
    arguments: [
      { name: "from", required: true, many: false, value: "service" },
      { name: "to[:port]", required: true, many: false, value: "service" },
    ],
    flags: [
      { name: "udp", text: "ask about UDP" },
      { name: "sctp", text: "ask about SCTP" },
      { name: "icmp", text: "ask about ICMP, which has no port" },
      { name: "no-probe", text: "send nothing" },
      ...SCOPE_FLAGS.slice(0, 1),
    ],
    writes: false,
    load: () => import("./commands/can.ts"),
  },
];
