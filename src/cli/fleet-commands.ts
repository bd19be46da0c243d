// SPDX-License-Identifier: Apache-2.0
import type { Command } from "./command.ts";
import { WRITE_FLAGS } from "./flags.ts";

const reason = WRITE_FLAGS.filter(({ name }) => name === "reason");

/** Commands about the fleet and its nodes. */
export const FLEET_COMMANDS: readonly Command[] = [
  {
    name: "net",
    group: "See",
    summary: "networks that span hosts: ls, or inspect NAME",
    arguments: [
      { name: "ls|inspect", required: true, many: false, value: ["ls", "inspect"] },
      { name: "name", required: false, many: false },
    ],
    flags: [],
    writes: false,
    load: () => import("./commands/net.ts"),
  },
  {
    name: "token",
    group: "Admin",
    summary: "tokens with which hosts join the fleet: create, ls, or revoke ID",
    arguments: [
      { name: "create|ls|revoke", required: true, many: false, value: ["create", "ls", "revoke"] },
      { name: "id", required: false, many: false },
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
    load: () => import("./commands/token.ts"),
  },
];
