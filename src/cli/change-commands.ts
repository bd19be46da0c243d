// SPDX-License-Identifier: Apache-2.0
import { type Command, SERVICES } from "./command.ts";
import { PROJECT_FLAGS, SCOPE_FLAGS, WAIT_FLAGS, WRITE_FLAGS } from "./flags.ts";

/** Commands that change what is wanted. */
export const CHANGE_COMMANDS: readonly Command[] = [
  {
    name: "up",
    group: "Change",
    summary: "make a scope as its Compose file says, and keep it so",
    arguments: [],
    flags: [
      ...PROJECT_FLAGS,
      { name: "plan", value: "file", text: "do exactly this plan, or exit 4" },
      { name: "recreate", text: "make new containers for unchanged services too" },
      { name: "build", text: "build images even if they are there" },
      { name: "no-build", text: "never build images" },
      ...WRITE_FLAGS,
      ...WAIT_FLAGS,
    ],
    writes: true,
    load: () => import("./commands/up.ts"),
  },
  {
    name: "plan",
    group: "Change",
    summary: "show what up would do; exits 0 either way",
    arguments: [],
    flags: [...PROJECT_FLAGS, { name: "exit-code", text: "exit 1 when there is something to do" }],
    writes: false,
    load: () => import("./commands/plan.ts"),
  },
  {
    name: "down",
    group: "Change",
    summary: "remove what up made, and nothing else",
    arguments: [],
    flags: [
      ...PROJECT_FLAGS.slice(0, 5),
      {
        name: "volumes",
        short: "v",
        text: "remove its volumes too, on all hosts; also when it is down already",
      },
      ...SCOPE_FLAGS.slice(0, 1),
      ...WRITE_FLAGS,
      ...WAIT_FLAGS,
    ],
    writes: true,
    load: () => import("./commands/down.ts"),
  },
  {
    name: "topology",
    group: "Change",
    summary: "declare along which links agents may talk: set FILE, or rm",
    arguments: [
      { name: "set|rm", required: true, many: false, value: ["set", "rm"] },
      { name: "file", required: false, many: false },
    ],
    flags: [
      { name: "relay", text: "pass messages on along the links (for .csv and .dot files)" },
      ...SCOPE_FLAGS.slice(0, 1),
      ...WRITE_FLAGS,
    ],
    writes: true,
    load: () => import("./commands/topology.ts"),
  },
  {
    name: "restart",
    group: "Change",
    summary: "restart services, all without a name",
    arguments: [SERVICES],
    flags: [...SCOPE_FLAGS.slice(0, 1), ...WRITE_FLAGS, ...WAIT_FLAGS],
    writes: true,
    load: () => import("./commands/restart.ts"),
  },
  {
    name: "scale",
    group: "Change",
    summary: "change how many instances of services run",
    arguments: [{ name: "service=number", required: true, many: true, value: "service" }],
    flags: [...SCOPE_FLAGS.slice(0, 1), ...WRITE_FLAGS, ...WAIT_FLAGS],
    writes: true,
    load: () => import("./commands/scale.ts"),
  },
  {
    name: "pause",
    group: "Change",
    summary: "stop automation for services, all without a name",
    arguments: [SERVICES],
    flags: [
      { name: "for", value: "duration", text: "until then; without it until resumed" },
      ...SCOPE_FLAGS.slice(0, 1),
      ...WRITE_FLAGS,
    ],
    writes: true,
    load: () => import("./commands/pause.ts"),
  },
  {
    name: "resume",
    group: "Change",
    summary: "start automation again",
    arguments: [SERVICES],
    flags: [...SCOPE_FLAGS.slice(0, 1), ...WRITE_FLAGS],
    writes: true,
    load: () => import("./commands/resume.ts"),
  },
];
