// SPDX-License-Identifier: Apache-2.0
// Every command as data; its code is loaded when it runs.
import { ADMIN_COMMANDS } from "./admin-commands.ts";
import { CHANGE_COMMANDS } from "./change-commands.ts";
import type { Command } from "./command.ts";
import { FLEET_COMMANDS } from "./fleet-commands.ts";
import { POLICY_COMMANDS } from "./policy-commands.ts";
import { ASK_COMMANDS, SEE_COMMANDS } from "./see-commands.ts";
import { TALK_COMMANDS } from "./talk-commands.ts";

/** All commands, in the order of help. */
export const COMMANDS: readonly Command[] = [
  ...SEE_COMMANDS,
  ...ASK_COMMANDS,
  ...TALK_COMMANDS,
  ...CHANGE_COMMANDS,
  ...POLICY_COMMANDS,
  ...FLEET_COMMANDS,
  ...ADMIN_COMMANDS,
];
