// SPDX-License-Identifier: Apache-2.0
// Errors in the one form: code, facts, cause, command; the same facts as JSON.
import type { FairleadError, Location } from "#base/errors.ts";
import { VERSION_OF_API } from "./output.ts";
import { makePrintable } from "./printable.ts";
import type { Style } from "./style.ts";

/** A place, as the schemas of the API have it. */
export interface Place {
  readonly file: string;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
}

/** `compose.yaml:3:5`, seen from the current directory where it is below it. */
export function formatLocation(at: Location | Place): string {
  const below = `${process.cwd()}/`;
  const file = at.file.startsWith(below) ? at.file.slice(below.length) : at.file;
  return [file, at.line, at.column].filter((part) => part !== undefined).join(":");
}

/** Name and value in two columns, further lines of a value below its first. */
export function renderFacts(facts: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(7, ...facts.map(([name]) => name.length));
  return facts.flatMap(([name, value]) =>
    makePrintable(value)
      .split("\n")
      .map((line, at) => `  ${(at === 0 ? name : "").padEnd(width)}  ${line}`.trimEnd()),
  );
}

/** Lines for people. */
export function renderError(error: FairleadError, style: Style): string[] {
  const facts: [string, string][] = [];
  if (error.location !== undefined) facts.push(["at", formatLocation(error.location)]);
  // What caused this very one says more than what causes its kind, which `fairlead explain` tells.
  const { because = error.kind.cause, ...others } = error.facts;
  for (const [name, value] of Object.entries(others)) facts.push([name, String(value)]);
  facts.push(["because", String(because)], ["do", error.remedy]);
  const head = `${style.paint("error", "bad")} ${error.kind.id} ${error.kind.slug}: ${makePrintable(error.message)}`;
  return [head, ...renderFacts(facts)].map(style.plain);
}

/** One JSON document for programs. */
export function describeError(error: FairleadError): Record<string, unknown> {
  return {
    apiVersion: VERSION_OF_API,
    kind: "Error",
    id: error.kind.id,
    slug: error.kind.slug,
    code: error.code,
    message: error.message,
    cause: error.kind.cause,
    remedy: error.remedy,
    facts: error.facts,
    ...(error.location === undefined ? {} : { at: error.location }),
  };
}
