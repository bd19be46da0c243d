// SPDX-License-Identifier: Apache-2.0
import type { Argument, Command } from "./command.ts";
import { type Flag, SCOPE_FLAGS } from "./flags.ts";

const AGENT: Argument = { name: "agent", required: true, many: false };
const SCOPE = SCOPE_FLAGS.slice(0, 1);
const timeout: Flag = {
  name: "timeout",
  value: "duration",
  text: "how long to wait for an answer (30s)",
};
const count = (text: string): Flag => ({ name: "count", short: "n", value: "count", text });

/** Commands that take part in the fabric. */
export const TALK_COMMANDS: readonly Command[] = [
  {
    name: "call",
    group: "Talk",
    summary: "call a method of an agent: JSON in, JSON out",
    arguments: [
      AGENT,
      { name: "contract/method", required: true, many: false },
      { name: "json", required: false, many: false },
    ],
    flags: [
      { name: "stream", text: "the method answers with a stream: a line for each item" },
      { name: "explain", text: "say on stderr why it went where it went" },
      timeout,
      ...SCOPE,
    ],
    writes: false,
    load: () => import("./commands/call.ts"),
  },
  {
    name: "send",
    group: "Talk",
    summary: "send a message to those who hear a subject",
    arguments: [
      { name: "subject", required: true, many: false },
      { name: "text", required: true, many: false },
    ],
    flags: [
      { name: "key", value: "text", text: "same key, same member of a group, in order" },
      { name: "keep", text: "let the node keep it until it is acknowledged" },
      ...SCOPE,
    ],
    writes: false,
    load: () => import("./commands/send.ts"),
  },
  {
    name: "sub",
    group: "Talk",
    summary: "hear messages: orders.* or logs.>",
    arguments: [{ name: "pattern", required: true, many: false }],
    flags: [
      { name: "group", value: "text", text: "share the messages with others of this group" },
      { name: "keep", text: "messages that the node keeps; showing one acknowledges it" },
      count("end after so many messages"),
      ...SCOPE,
    ],
    writes: false,
    load: () => import("./commands/sub.ts"),
  },
  {
    name: "ping",
    group: "Talk",
    summary: "how long to an agent and back",
    arguments: [AGENT],
    flags: [
      count("how often (5)"),
      { name: "size", value: "count", text: "bytes to carry there (0)" },
      timeout,
      ...SCOPE,
    ],
    writes: false,
    load: () => import("./commands/ping.ts"),
  },
  {
    name: "bench",
    group: "Talk",
    summary: "how fast an agent is reached from here: round trips, and answers a second",
    arguments: [AGENT],
    flags: [
      { name: "for", value: "duration", text: "how long to measure (4s)" },
      { name: "size", value: "count", text: "bytes to carry there (128)" },
      { name: "in-flight", value: "count", text: "questions under way at once (64)" },
      ...SCOPE,
    ],
    writes: false,
    load: () => import("./commands/bench.ts"),
  },
];
