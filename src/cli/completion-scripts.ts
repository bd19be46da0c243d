// SPDX-License-Identifier: Apache-2.0
// Completion from the command table, so that it cannot fall behind. Names come from `fairlead complete`, a local file.
import { COMMANDS } from "./command-table.ts";
import type { Argument, Command } from "./command.ts";
import { type Flag, type FlagValue, withCommonFlags } from "./flags.ts";

const shown = COMMANDS.filter((command) => command.hidden !== true);

function listFlags(command: Command): readonly Flag[] {
  return withCommonFlags(command.flags);
}

function spell(flag: Flag): string[] {
  return [`--${flag.name}`, ...(flag.short === undefined ? [] : [`-${flag.short}`])];
}

/** What bash should offer for a value: words, a command that prints them, or files. */
function bashValue(value: FlagValue | Argument["value"]): string {
  if (value === "service" || value === "scope")
    return `COMPREPLY=($(compgen -W "$(fairlead complete ${value} 2>/dev/null)" -- "$cur"))`;
  if (value === "directory") return 'COMPREPLY=($(compgen -d -- "$cur"))';
  if (value === "file") return 'COMPREPLY=($(compgen -f -- "$cur"))';
  if (typeof value === "object") return `COMPREPLY=($(compgen -W "${value.join(" ")}" -- "$cur"))`;
  return "COMPREPLY=()";
}

function bashCommand(command: Command): string {
  const flags = listFlags(command);
  const values = flags
    .filter((flag) => flag.value !== undefined)
    .map((flag) => `        ${spell(flag).join("|")}) ${bashValue(flag.value)}; return ;;`);
  const words = flags.flatMap(spell).join(" ");
  return [
    `    ${command.name})`,
    '      case "$prev" in',
    ...values,
    "      esac",
    `      if [[ "$cur" == -* ]]; then COMPREPLY=($(compgen -W "${words}" -- "$cur")); return; fi`,
    `      ${bashValue(command.arguments[0]?.value)} ;;`,
  ].join("\n");
}

/** The script for bash. */
export function renderBash(): string {
  return [
    "# fairlead completion for bash: source <(fairlead completion bash)",
    "_fairlead() {",
    '  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}"',
    "  COMPREPLY=()",
    "  if [[ $COMP_CWORD -eq 1 ]]; then",
    `    COMPREPLY=($(compgen -W "${shown.map((command) => command.name).join(" ")}" -- "$cur")); return`,
    "  fi",
    '  case "${COMP_WORDS[1]}" in',
    ...shown.map(bashCommand),
    "  esac",
    "}",
    "complete -F _fairlead fairlead",
    "",
  ].join("\n");
}

const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function zshValue(value: FlagValue): string {
  if (typeof value === "object") return `:value:(${value.join(" ")})`;
  if (value === "service" || value === "scope") return `:${value}:_fairlead_names ${value}`;
  return value === "file" || value === "directory" ? ":file:_files" : ":value: ";
}

function zshFlag(flag: Flag): string[] {
  const text = flag.text.replaceAll(/[[\]:]/g, " ");
  return spell(flag).map((word) =>
    quote(
      `${flag.many === true ? "*" : ""}${word}[${text}]${flag.value === undefined ? "" : zshValue(flag.value)}`,
    ),
  );
}

function zshCommand(command: Command): string {
  const [argument] = command.arguments;
  const words =
    argument?.value === undefined
      ? []
      : [
          quote(
            `${argument.many ? "*" : "1"}${zshValue(argument.value === "command" ? "text" : argument.value)}`,
          ),
        ];
  return `    ${command.name}) _arguments ${[...listFlags(command).flatMap(zshFlag), ...words].join(" ")} ;;`;
}

/** The script for zsh. */
export function renderZsh(): string {
  const commands = shown.map((command) =>
    quote(`${command.name}:${command.summary.replaceAll(":", " ")}`),
  );
  return [
    "#compdef fairlead",
    "# fairlead completion for zsh: source <(fairlead completion zsh)",
    '_fairlead_names() { compadd -- ${(f)"$(fairlead complete $1 2>/dev/null)"} }',
    "_fairlead() {",
    "  if (( CURRENT == 2 )); then",
    `    local -a commands=(${commands.join(" ")})`,
    "    _describe command commands; return",
    "  fi",
    "  local command=$words[2]",
    "  shift words; (( CURRENT-- ))",
    "  case $command in",
    ...shown.map(zshCommand),
    "  esac",
    "}",
    "compdef _fairlead fairlead",
    "",
  ].join("\n");
}

function fishValue(value: FlagValue | Argument["value"]): string {
  if (typeof value === "object") return ` -xa ${quote(value.join(" "))}`;
  if (value === "service" || value === "scope")
    return ` -xa '(fairlead complete ${value} 2>/dev/null)'`;
  return value === "file" || value === "directory" ? " -rF" : " -x";
}

function fishCommand(command: Command): string[] {
  const when = `-n '__fish_seen_subcommand_from ${command.name}'`;
  const [argument] = command.arguments;
  return [
    `complete -c fairlead -n __fish_use_subcommand -xa ${command.name} -d ${quote(command.summary)}`,
    ...listFlags(command).map((flag) => {
      const short = flag.short === undefined ? "" : ` -s ${flag.short}`;
      const value = flag.value === undefined ? "" : fishValue(flag.value);
      return `complete -c fairlead ${when} -l ${flag.name}${short}${value} -d ${quote(flag.text)}`;
    }),
    ...(argument?.value === undefined
      ? []
      : [`complete -c fairlead ${when}${fishValue(argument.value)}`]),
  ];
}

/** The script for fish. */
export function renderFish(): string {
  return [
    "# fairlead completion for fish: fairlead completion fish | source",
    "complete -c fairlead -f",
    ...shown.flatMap(fishCommand),
    "",
  ].join("\n");
}
