// SPDX-License-Identifier: Apache-2.0
// How the project's scripts read their words, and answer whoever asks what they take or types what they do not take.
import { findNearest } from "#base/nearest.ts";

/** A script of the project: `Words` is what it makes of the words that were typed. */
export interface Script<Words> {
  /** What it takes; begins with `usage: `. */
  usage(): string | Promise<string>;
  /** Throws a TypeError that says what is wrong with the words, as `parseArgs` does. */
  read(words: readonly string[]): Words;
  /** Returns the exit code. */
  run(words: Words): number | Promise<number>;
}

/** Runs a script with what it was called with. Returns the exit code: 0 for who asked for help, 2 for wrong words, else the script's. */
export async function runScript<Words>(
  words: readonly string[],
  { usage, read, run }: Script<Words>,
): Promise<number> {
  if (asksForHelp(words)) return tellUsage(await usage());
  let asked: Words;
  try {
    asked = read(words);
  } catch (thrown) {
    if (!(thrown instanceof TypeError)) throw thrown;
    // What `parseArgs` says after the first sentence is for those who wrote the script.
    return refuseWords(thrown.message.split(". ")[0] ?? "", await usage());
  }
  return run(asked);
}

/** The number that an option was given. Throws a TypeError where it is none, or not in the range (from 0, to as much as counts). */
export function readWhole(
  option: string,
  text: string,
  { min = 0, max = Number.MAX_SAFE_INTEGER } = {},
): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value >= min && value <= max) return value;
  const range =
    max === Number.MAX_SAFE_INTEGER ? `a whole number of ${min} or more` : `${min} to ${max}`;
  throw new TypeError(`--${option} takes ${range}, not ${text}`);
}

/** Whether the words ask for help; `npm run bench help` is meant so too. */
export function asksForHelp(words: readonly string[]): boolean {
  return words.some((word) => word === "--help" || word === "-h") || words[0] === "help";
}

/** Prints what a script takes to whoever asked. Returns the exit code, 0. */
export function tellUsage(usage: string): number {
  process.stdout.write(`${usage.trimEnd()}\n`);
  return 0;
}

/** Says what is wrong with the words, then what would be right. Returns the exit code, 2. */
export function refuseWords(problem: string, usage: string): number {
  process.stderr.write(`error: ${problem}\n\n${usage.trimEnd()}\n`);
  return 2;
}

/** Why a name is none that a script knows, with the nearest that it does: `no bench is called shedule; did you mean schedule?` */
export function describeUnknown(kind: string, name: string, known: Iterable<string>): string {
  const nearest = findNearest(name, known);
  const hint = nearest === undefined ? "" : `; did you mean ${nearest}?`;
  return `no ${kind} is called ${name}${hint}`;
}
