// SPDX-License-Identifier: Apache-2.0
// Variable interpolation as the Compose Specification has it. Defaults are only evaluated when they are needed.
import { FairleadError } from "#base/errors.ts";
import { composeErrors } from "./errors.ts";

/** What stands between `$` and a value. */
export interface Variables {
  /** The value; undefined when unset. An empty text is a value. */
  lookup(name: string): string | undefined;
  /** Called for each plain use of an unset variable. */
  onUnset(name: string): void;
}

const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const OPERATOR = /:?[-?+]/y;
/** Deeper nesting of defaults is a mistake or an attack. */
const NESTING_MAX = 32;

/** The template with every variable replaced. Throws bad-interpolation or variable-required; the caller knows the place. */
export function interpolate(template: string, variables: Variables, depth = 0): string {
  if (!template.includes("$")) return template;
  if (depth > NESTING_MAX)
    throw new FairleadError(composeErrors["bad-interpolation"], "variables are nested too deeply");
  let out = "";
  let at = 0;
  while (at < template.length) {
    const dollar = template.indexOf("$", at);
    if (dollar < 0) return out + template.slice(at);
    out += template.slice(at, dollar);
    const next = template[dollar + 1];
    if (next === "$") {
      out += "$";
      at = dollar + 2;
    } else if (next === "{") {
      const end = findClosingBrace(template, dollar + 1);
      if (end < 0) throw invalid(template.slice(dollar));
      out += evaluate(template.slice(dollar + 2, end), variables, depth);
      at = end + 1;
    } else {
      const name = matchAt(NAME, template, dollar + 1);
      out += name === undefined ? "$" : readPlain(name, variables);
      at = dollar + 1 + (name?.length ?? 0);
    }
  }
  return out;
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function invalid(shown: string): FairleadError {
  const short = shown.length > 60 ? `${shown.slice(0, 60)}…` : shown;
  return new FairleadError(composeErrors["bad-interpolation"], `invalid interpolation "${short}"`);
}

function findClosingBrace(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return at;
  }
  return -1;
}

function readPlain(name: string, variables: Variables): string {
  const value = variables.lookup(name);
  if (value === undefined) variables.onUnset(name);
  return value ?? "";
}

/** The inside of `${…}`. */
function evaluate(inside: string, variables: Variables, depth: number): string {
  const name = matchAt(NAME, inside, 0);
  if (name === undefined) throw invalid(`\${${inside}}`);
  if (name.length === inside.length) return readPlain(name, variables);
  const operator = matchAt(OPERATOR, inside, name.length);
  if (operator === undefined) throw invalid(`\${${inside}}`);
  const rest = inside.slice(name.length + operator.length);
  const value = variables.lookup(name);
  const present = operator.startsWith(":")
    ? value !== undefined && value !== ""
    : value !== undefined;
  const kind = operator.at(-1);
  if (kind === "+") return present ? interpolate(rest, variables, depth + 1) : "";
  if (present) return value ?? "";
  const fallback = interpolate(rest, variables, depth + 1);
  if (kind === "-") return fallback;
  const reason = fallback === "" ? "" : `: ${fallback}`;
  throw new FairleadError(
    composeErrors["variable-required"],
    `required variable ${name} is missing a value${reason}`,
  );
}
