// SPDX-License-Identifier: Apache-2.0
// How the project's scripts answer whoever asks what they take, or types what they do not take.
import { findNearest } from "#base/nearest.ts";

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

/** What a parser of words says of them. Throws anything else. */
export function readComplaint(thrown: unknown): string {
  if (thrown instanceof TypeError) return thrown.message.split(". ")[0] ?? thrown.message;
  throw thrown;
}
