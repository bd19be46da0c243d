// SPDX-License-Identifier: Apache-2.0
import { COMMANDS } from "./command-table.ts";

/** The first page: commands by group, then what holds for all of them. */
export function renderHelp(): string {
  const shown = COMMANDS.filter((command) => command.hidden !== true);
  const groups = [...new Set(shown.map((command) => command.group))];
  const lines = groups.flatMap((group) => [
    `${group}`,
    ...shown
      .filter((command) => command.group === group)
      .map((command) => `  ${command.name.padEnd(13)} ${command.summary}`),
    "",
  ]);
  return [
    "Usage: fairlead COMMAND [FLAGS]",
    "",
    ...lines,
    "Output       -o table|wide|json|jsonl|yaml|name, -q, --filter KEY=VALUE, -w, --color, --progress",
    "Scope        --scope NAME or -A; default: the Compose project of this directory, else all",
    "Exit status  0 done or yes, 1 no, 2 usage, 3 cannot tell, 4 refused, 5 time ran out, 130/143 interrupted",
    "More         fairlead COMMAND --help, fairlead explain TOPIC",
    "",
  ].join("\n");
}
