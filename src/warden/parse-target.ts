// SPDX-License-Identifier: Apache-2.0
// The request's address, read in the one way that is not open to a second reading: no escapes, no empty or dot segments,
// no other case. What the engine is sent is written anew from what was read here.
import { deny, refuseForm } from "./deny.ts";

/** `GET /v1.41/containers/json?all=1` in parts. */
export interface Target {
  /** `v1.41`; absent when the address names none. */
  readonly version: string | undefined;
  readonly segments: readonly string[];
  readonly query: Query;
}

/** Parameters, and those names, in lower case, that came twice: what is read must not be among them. */
export interface Query {
  readonly values: ReadonlyMap<string, string>;
  readonly repeated: ReadonlySet<string>;
}

/** dockerode puts the whole body of `create` into the query too. */
const TARGET_MAX = 15_000;
const VERSION = /^v1\.\d{1,3}$/;
const SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9_.:@-]*$/;
const ESCAPE = /%(?![0-9a-fA-F]{2})/;

function parseQuery(text: string): Query {
  if (ESCAPE.test(text) || /[^\x21-\x7e]/.test(text)) refuseForm("the query is not well-formed");
  const values = new Map<string, string>();
  const repeated = new Set<string>();
  const seen = new Set<string>();
  for (const [key, value] of new URLSearchParams(text)) {
    const folded = key.toLowerCase();
    if (seen.has(folded)) repeated.add(folded);
    if (value.includes("\0") || value.includes("\ufffd")) refuseForm(`${key} is not text`);
    seen.add(folded);
    values.set(key, value);
  }
  return { values, repeated };
}

/** Reads a request target. Throws FL1902 for what could be read in two ways. */
export function parseTarget(target: string): Target {
  if (target.length > TARGET_MAX) refuseForm("the address is too long");
  const [path = "", queryText, ...more] = target.split("?");
  if (more.length > 0) refuseForm("the query has a second question mark");
  if (!path.startsWith("/")) refuseForm("the address has to begin with /");
  if (path.includes("%")) refuseForm("the path must have no escapes");
  const [first = "", ...rest] = path.slice(1).split("/");
  const version = VERSION.test(first) ? first : undefined;
  const segments = version === undefined ? [first, ...rest] : rest;
  for (const segment of segments)
    if (!SEGMENT.test(segment))
      deny(`"${segment.slice(0, 60)}" is no part of a path of the Docker API`);
  return { version, segments, query: parseQuery(queryText ?? "") };
}

/** Whether a parameter that is not among those allowed is refused, or left out like the words that clients tell themselves. */
export type Others = "refused" | "ignored";

/** The query with only what is among `allowed`; throws FL1901 for any other that says something, FL1902 for one that comes twice. */
export function takeQuery(
  { values, repeated }: Query,
  allowed: Readonly<Record<string, RegExp>>,
  others: Others = "refused",
): URLSearchParams {
  const taken = new URLSearchParams();
  for (const [key, value] of values) {
    const form = Object.hasOwn(allowed, key) ? allowed[key] : undefined;
    if (form === undefined && others === "ignored") continue;
    if (repeated.has(key.toLowerCase())) refuseForm(`the query says ${key.slice(0, 40)} twice`);
    if (form === undefined) {
      if (value === "" || value === "0" || value === "false") continue;
      deny(`the parameter ${key.slice(0, 40)} is not allowed here`);
    }
    if (!form.test(value)) deny(`the parameter ${key} may not be "${value.slice(0, 60)}"`);
    taken.set(key, value);
  }
  return taken;
}

/** Forms of parameters. */
export const FLAG = /^(0|1|true|false|True|False)?$/;
export const NUMBER = /^-?\d{0,10}$/;
export const TIME = /^[0-9.:TZ+-]{0,40}$/;
export const KEYS = /^[a-z0-9@,[\]^\\_-]{0,40}$/i;
export const SIGNAL = /^[A-Za-z0-9+-]{0,16}$/;
export const TEXT = /^[^\0]{0,4096}$/;
