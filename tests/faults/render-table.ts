// SPDX-License-Identifier: Apache-2.0
// All cases of a run in one table: what the client saw, what was measured against which goal, and whether it held.
import type { Figure } from "./figure.ts";
import type { Outcome } from "./run-case.ts";

const HEAD = ["case", "rows", "answered", "wrong", "measured", "goal", "held"] as const;

/** `100.00 %`; of several services the one that was answered least. */
function renderShare({ availability }: Outcome): string {
  const shares = Object.entries(availability).filter(([, share]) => !Number.isNaN(share));
  const least = Math.min(...shares.map(([, share]) => share));
  const name = shares.find(([, share]) => share === least)?.[0];
  return name === undefined
    ? "?"
    : `${(least * 100).toFixed(2)} % ${least === 1 ? "" : name}`.trim();
}

/** What is judged of every case: told where it does not hold; wrong answers have a column. */
const COMMON = new Set(["singletons at once", "names that live and are denied"]);

/** Those that have a goal; of a case that failed, why. */
function listJudged({ figures }: Outcome): readonly Figure[] {
  return figures.filter(
    ({ what, goal, holds }) =>
      what !== "wrong answers" && (COMMON.has(what) ? !holds : goal !== "" || !holds),
  );
}

/** A line for each figure that has a goal, under the names of its case. */
function listLines(outcome: Outcome): readonly (readonly string[])[] {
  const judged = listJudged(outcome).map(({ what, value, goal, holds }) => [
    `${what}: ${value}`,
    goal,
    holds ? "yes" : "NO",
  ]);
  const first = [outcome.name, outcome.rows, renderShare(outcome), String(outcome.wrong)];
  return judged.map((line, at) => [...(at === 0 ? first : ["", "", "", ""]), ...line]);
}

/** The table, in columns. */
export function renderTable(outcomes: readonly Outcome[]): string {
  const lines = [HEAD, ...outcomes.flatMap(listLines)];
  const widths = HEAD.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
