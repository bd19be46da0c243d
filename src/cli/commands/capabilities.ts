// SPDX-License-Identifier: Apache-2.0
import { COMMANDS } from "#cli/command-table.ts";
import type { Context } from "#cli/context.ts";
import { readErrorTable } from "#cli/error-table.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { COMMON_FLAGS, type Flag } from "#cli/flags.ts";
import { VERSION_OF_API } from "#cli/output.ts";

function describeFlag(flag: Flag) {
  return {
    name: `--${flag.name}`,
    ...(flag.short === undefined ? {} : { short: `-${flag.short}` }),
    value: flag.value ?? "none",
    repeatable: flag.many === true,
    text: flag.text,
  };
}

/** `fairlead capabilities`: what a program needs to know to use this command. */
export async function run(context: Context): Promise<number> {
  const capabilities = {
    api: VERSION_OF_API,
    version: context.version,
    commands: COMMANDS.filter((command) => command.hidden !== true).map((command) => ({
      name: command.name,
      group: command.group,
      text: command.summary,
      writes: command.writes,
      arguments: command.arguments,
      flags: command.flags.map(describeFlag),
    })),
    flags: COMMON_FLAGS.map(describeFlag),
    exitCodes: EXIT,
    errors: readErrorTable(),
    schemas: "/v1/openapi.json on the node's socket",
  };
  await context.out.document(capabilities, {
    kind: "Capabilities",
    name: (item) => item.version,
    text: (item) => item.commands.map((command) => `${command.name.padEnd(13)} ${command.text}`),
  });
  return EXIT.ok;
}
