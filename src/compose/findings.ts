// SPDX-License-Identifier: Apache-2.0
import { type ErrorKind, FairleadError, type Location } from "#base/errors.ts";
import type { Diagnostic } from "#model/intent.ts";

/** A refused set of files: the first problem as the error, all of them in `problems`, in the order of the files. */
export class ComposeFailure extends FairleadError {
  readonly problems: readonly Diagnostic[];

  constructor(kind: ErrorKind, first: Diagnostic, problems: readonly Diagnostic[]) {
    super(kind, first.message, {
      facts: listOthers(problems),
      ...(first.at === undefined ? {} : { location: toLocation(first.at) }),
      ...(first.hint === undefined ? {} : { remedy: first.hint }),
    });
    this.problems = problems;
  }
}

/** How many problems are printed with one failure; the rest is counted. */
const OTHERS_MAX = 20;

function listOthers(problems: readonly Diagnostic[]): Record<string, string | number> {
  const others = problems.slice(1);
  const facts: Record<string, string | number> = {};
  for (const [index, problem] of others.slice(0, OTHERS_MAX).entries()) {
    const at = problem.at === undefined ? "" : `${formatPlace(toLocation(problem.at))} `;
    facts[`also ${index + 1}`] = `${at}${problem.message}`;
  }
  if (others.length > OTHERS_MAX) facts["and more"] = others.length - OTHERS_MAX;
  return facts;
}

function toLocation(at: NonNullable<Diagnostic["at"]>): Location {
  return {
    file: at.file,
    ...(at.line === undefined ? {} : { line: at.line }),
    ...(at.column === undefined ? {} : { column: at.column }),
  };
}

/** `compose.yaml:3:7`. */
export function formatPlace(at: Location): string {
  return [at.file, at.line, at.column].filter((part) => part !== undefined).join(":");
}

/** Collects what is wrong and what is odd, so that a user sees everything at once. */
export interface Findings {
  error(kind: ErrorKind, message: string, at: Location | undefined, hint?: string): void;
  warn(kind: ErrorKind, message: string, at: Location | undefined, hint?: string): void;
  /** A warning that says the same wherever it is met: kept at its first place only. */
  warnOnce(kind: ErrorKind, message: string, at: Location | undefined, hint?: string): void;
  readonly warnings: readonly Diagnostic[];
  readonly problems: readonly Diagnostic[];
  /** Throws a ComposeFailure when there is any problem. */
  throwIfAny(): void;
}

/** Problems beyond this many add nothing for a reader, and would cost memory on hostile input. */
const PROBLEMS_MAX = 1_000;

/** An empty collection; the same problem at the same place is kept once. */
export function createFindings(): Findings {
  const problems: Diagnostic[] = [];
  const warnings: Diagnostic[] = [];
  const seen = new Set<string>();
  let firstKind: ErrorKind | undefined;
  function add(
    target: Diagnostic[],
    kind: ErrorKind,
    rest: Omit<Diagnostic, "id" | "slug">,
  ): boolean {
    const place = rest.at === undefined ? "" : formatPlace(toLocation(rest.at));
    const mark = `${kind.id} ${place} ${rest.message}`;
    if (seen.has(mark) || target.length >= PROBLEMS_MAX) return false;
    seen.add(mark);
    target.push({ id: kind.id, slug: kind.slug, ...rest });
    return true;
  }
  function describe(
    severity: "error" | "warning",
    message: string,
    at: Location | undefined,
    hint: string | undefined,
  ): Omit<Diagnostic, "id" | "slug"> {
    return {
      severity,
      message,
      ...(hint === undefined ? {} : { hint }),
      ...(at === undefined ? {} : { at: { ...at } }),
    };
  }
  return {
    error(kind, message, at, hint) {
      if (add(problems, kind, describe("error", message, at, hint))) firstKind ??= kind;
    },
    warn(kind, message, at, hint) {
      add(warnings, kind, describe("warning", message, at, hint));
    },
    warnOnce(kind, message, at, hint) {
      if (seen.has(`${kind.id} ${message}`)) return;
      seen.add(`${kind.id} ${message}`);
      add(warnings, kind, describe("warning", message, at, hint));
    },
    warnings,
    problems,
    throwIfAny() {
      const [first] = problems;
      if (first === undefined || firstKind === undefined) return;
      throw new ComposeFailure(firstKind, first, problems);
    },
  };
}

/** A failure with one problem, for what ends the loading at once. */
export function refuse(
  kind: ErrorKind,
  message: string,
  at: Location | undefined,
  hint?: string,
): ComposeFailure {
  const problem: Diagnostic = {
    severity: "error",
    id: kind.id,
    slug: kind.slug,
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(at === undefined ? {} : { at: { ...at } }),
  };
  return new ComposeFailure(kind, problem, [problem]);
}
