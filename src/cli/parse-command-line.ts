// SPDX-License-Identifier: Apache-2.0
// Commander reads the line; refusals come out in Fairlead's own form, before anything is loaded or called.
import { Argument, Command as Commander, CommanderError, Option } from "commander";
import { FairleadError } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import { COMMANDS } from "./command-table.ts";
import type { Command } from "./command.ts";
import { cliErrors } from "./errors.ts";
import { checkFlagValue } from "./flag-values.ts";
import { type Flag, withCommonFlags } from "./flags.ts";
import { createParsed, type Parsed } from "./parsed.ts";

/** Wider than any line of help. */
const HELP_WIDTH = 10_000;

export type Request =
  | { readonly kind: "run"; readonly command: Command; readonly parsed: Parsed }
  | { readonly kind: "help"; readonly text: string };

function describeValue(flag: Flag): string {
  if (typeof flag.value === "string")
    return ` <${flag.value === "assignment" ? "key=value" : flag.value}>`;
  return flag.value === undefined ? "" : ` <${flag.value.join("|")}>`;
}

function makeOption(flag: Flag): Option {
  const short = flag.short === undefined ? "" : `-${flag.short}, `;
  const option = new Option(`${short}--${flag.name}${describeValue(flag)}`, flag.text);
  if (flag.value === undefined) return option;
  option.argParser((value: string, previous: readonly string[] | undefined) => {
    checkFlagValue(flag, value);
    if (previous !== undefined && flag.many !== true) {
      throw new FairleadError(cliErrors["conflicting-flags"], `--${flag.name} is given twice`, {
        facts: { first: previous.join(", "), second: value },
      });
    }
    return [...(previous ?? []), value];
  });
  return option;
}

function writeArgument(argument: Command["arguments"][number]): string {
  const name = argument.many ? `${argument.name}...` : argument.name;
  return argument.required ? `<${name}>` : `[${name}]`;
}

/** As the usage shows it: a word that is typed as it stands is no name for another. */
function showArgument(argument: Command["arguments"][number]): string {
  return typeof argument.value === "object" && argument.required
    ? argument.value.join("|")
    : writeArgument(argument);
}

function renderExamples({ examples = [] }: Command): string {
  if (examples.length === 0) return "";
  const width = Math.max(...examples.map(([words]) => words.length));
  const lines = examples.map(([words, does]) => `  fairlead ${words.padEnd(width)}  ${does}`);
  return ["\nExamples:", ...lines].join("\n");
}

/** Collects what was given. Switches are counted as they come: `--build --no-build` must not look like one of them. */
function collectValues(
  program: Commander,
  flags: readonly Flag[],
): () => Map<string, readonly string[]> {
  const switches = new Set<string>();
  for (const flag of flags) {
    if (flag.value === undefined) program.on(`option:${flag.name}`, () => switches.add(flag.name));
  }
  return () => {
    const given = new Map<string, unknown>(Object.entries(program.opts()));
    const values = new Map<string, readonly string[]>();
    for (const flag of flags) {
      const value = given.get(new Option(`--${flag.name}`).attributeName());
      if (switches.has(flag.name)) values.set(flag.name, []);
      else if (flag.value !== undefined && Array.isArray(value))
        values.set(flag.name, value.map(String));
    }
    return values;
  };
}

/** Flags of a command, the common ones included. */
export function listFlags(command: Command): readonly Flag[] {
  return withCommonFlags(command.flags);
}

/** What Commander says, in our words: `needs OBJECT`, `takes 1 word, not 2: web db`. */
function rewordFault(said: string, { name }: Command): string {
  const [, argument] = /^missing required argument '(.*)'$/.exec(said) ?? [];
  if (argument !== undefined) return `${name} needs <${argument}>`;
  const [, option, value] =
    /^option '(?:-\w, )?(--[\w-]+) (<.*>)' argument missing$/.exec(said) ?? [];
  if (option !== undefined) return `${option} needs ${value}`;
  const [, most, given, list] =
    /^too many arguments.* Expected (\d+) arguments? but got (\d+): (.*)\.$/.exec(said) ?? [];
  if (most === undefined) return said;
  return `too many arguments: ${name} takes ${most === "0" ? "none" : most}, not ${given} (${list})`;
}

function refuseChoice({ name }: Command, given: string, choices: readonly string[]): FairleadError {
  const nearest = findNearest(given, choices);
  return new FairleadError(cliErrors["bad-value"], `${name} does not take "${given}"`, {
    facts: { takes: choices.join(", ") },
    remedy: nearest === undefined ? `see \`fairlead ${name} --help\`` : `did you mean ${nearest}?`,
  });
}

/** A word that is none of those that have to stand there, though Commander found another fault first. */
function findMisread(
  command: Command,
  words: readonly string[],
): readonly [string, readonly string[]] | undefined {
  for (const [at, { value }] of command.arguments.entries()) {
    const word = words[at];
    if (typeof value === "object" && word !== undefined && !value.includes(word))
      return [word, value];
  }
  return undefined;
}

/** `--json` is a form of the answer for many other programs. */
function suggestFlag(command: Command, word: string, help: string): string {
  const flags = listFlags(command);
  const chosen = flags.find(
    ({ short, value }) =>
      short !== undefined && Array.isArray(value) && value.includes(word.slice("--".length)),
  );
  if (chosen?.short !== undefined) return `did you mean -${chosen.short} ${word.slice(2)}?`;
  const nearest = findNearest(
    word,
    flags.map((flag) => `--${flag.name}`),
  );
  return nearest === undefined ? help : `did you mean ${nearest}?`;
}

function refuseWord(
  thrown: CommanderError,
  command: Command,
  words: readonly string[],
): FairleadError {
  const quoted = /'([^']*)'/.exec(thrown.message)?.[1] ?? "";
  const [word = ""] = quoted.split(/[ =]/);
  const [said = thrown.message] = thrown.message.replace(/^error: /, "").split("\n");
  const first = rewordFault(said, command);
  const help = `see \`fairlead ${command.name} --help\``;
  if (thrown.code === "commander.unknownOption") {
    const remedy = word.startsWith("--") ? suggestFlag(command, word, help) : help;
    return new FairleadError(cliErrors["unknown-flag"], `unknown flag ${word}`, { remedy });
  }
  if (thrown.code === "commander.excessArguments") {
    return new FairleadError(cliErrors["extra-argument"], first, { remedy: help });
  }
  const misread = findMisread(command, words);
  if (misread !== undefined) return refuseChoice(command, ...misread);
  if (
    thrown.code === "commander.missingArgument" ||
    thrown.code === "commander.optionMissingArgument"
  ) {
    return new FairleadError(cliErrors["missing-argument"], first, { remedy: help });
  }
  const [, given, takes] =
    /^command-argument value '(.*)' is invalid for .* Allowed choices are (.*)\.$/.exec(said) ?? [];
  if (given !== undefined && takes !== undefined)
    return refuseChoice(command, given, takes.split(", "));
  return new FairleadError(cliErrors["bad-value"], first, { remedy: help });
}

/** Throws FL0604 for a word that the command takes, but not after its first one. */
function refuseExtra({ name, arguments: takes }: Command, words: readonly string[]): void {
  const [first = ""] = words;
  for (const [at, { after }] of takes.entries()) {
    const word = words[at];
    if (word === undefined || after?.includes(first) !== false) continue;
    throw new FairleadError(
      cliErrors["extra-argument"],
      `too many arguments: ${[name, ...words.slice(0, at)].join(" ")} takes no more (${word})`,
      { remedy: `see \`fairlead ${name} --help\`` },
    );
  }
}

function parseWords(command: Command, words: readonly string[]): Request {
  let help = "";
  const program = new Commander(command.name)
    .usage([...command.arguments.map(showArgument), "[flags]"].join(" "))
    .description(command.summary)
    .helpOption("-h, --help", "this text")
    .addHelpText("after", renderExamples(command))
    .exitOverride()
    // A line for each flag; who shows the page knows how wide it may be.
    .configureOutput({
      getOutHelpWidth: () => HELP_WIDTH,
      writeOut: (text) => (help += text),
      writeErr: () => undefined,
    });
  for (const argument of command.arguments) {
    const one = new Argument(writeArgument(argument));
    program.addArgument(typeof argument.value === "object" ? one.choices(argument.value) : one);
  }
  if (command.arguments.length === 0) program.allowExcessArguments(false);
  const flags = listFlags(command);
  for (const flag of flags) program.addOption(makeOption(flag));
  const readValues = collectValues(program, flags);
  try {
    program.parse([...words], { from: "user" });
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    if (thrown.code === "commander.helpDisplayed") {
      return { kind: "help", text: help.replace("Usage: ", "Usage: fairlead ") };
    }
    throw refuseWord(thrown, command, program.args);
  }
  refuseExtra(command, program.args);
  return {
    kind: "run",
    command,
    parsed: createParsed(program.args, readValues()),
  };
}

/** Reads a command line. Throws FL0601–FL0606 for what it does not understand. */
export function parseCommandLine(words: readonly string[], renderHelp: () => string): Request {
  const [first, ...rest] = words;
  if (first === undefined || first === "--help" || first === "-h")
    return { kind: "help", text: renderHelp() };
  if (first === "help") {
    const [topic] = rest;
    if (topic === undefined || topic === "output") return { kind: "help", text: renderHelp() };
    return parseCommandLine([topic, "--help"], renderHelp);
  }
  const name = first === "--version" || first === "-V" ? "version" : first;
  const command = COMMANDS.find((entry) => entry.name === name);
  if (command !== undefined) return parseWords(command, rest);
  if (first.startsWith("-")) {
    throw new FairleadError(cliErrors["unknown-flag"], `flags stand after the command: ${first}`, {
      remedy: "fairlead COMMAND [FLAGS]; see `fairlead --help`",
    });
  }
  const nearest = findNearest(
    first,
    COMMANDS.filter((c) => c.hidden !== true).map((c) => c.name),
  );
  const hint = nearest === undefined ? {} : { remedy: `did you mean "${nearest}"?` };
  throw new FairleadError(cliErrors["unknown-command"], `unknown command "${first}"`, hint);
}
