// SPDX-License-Identifier: Apache-2.0
// The format of .env, env_file and label_file.
import { FairleadError, type Location } from "#base/errors.ts";
import { composeErrors } from "./errors.ts";
import { refuse } from "./findings.ts";
import type { Environment } from "./interpolate-tree.ts";
import { interpolate } from "./interpolate.ts";

/** One line of such a file. */
export interface EnvFileEntry {
  readonly name: string;
  /** Undefined for a line with only a name: the value comes from the environment. */
  readonly value: string | undefined;
  readonly at: Location;
}

/** How such a file is read. */
export interface EnvFileOptions {
  /** For variables inside values; names of earlier lines of the same file win over it. */
  readonly environment: Environment;
  /** `format: raw`: every value is taken as it stands. */
  readonly raw?: boolean;
}

interface Cursor {
  readonly text: string;
  readonly file: string;
  offset: number;
  line: number;
}

const LINE = /[ \t]*(?:export[ \t]+)?([A-Za-z_0-9.\-/]+)[ \t]*(?:([=:])[ \t]*|(?=[\r\n#]|$))/y;
const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  '"': '"',
  "\\": "\\",
  $: "$$",
};

/** The entries of such a file in order. Throws bad-env-file with the line. */
export function parseEnvFile(text: string, file: string, options: EnvFileOptions): EnvFileEntry[] {
  const cursor: Cursor = { text: text.replace(/^\uFEFF/, ""), file, offset: 0, line: 1 };
  const entries: EnvFileEntry[] = [];
  const own = new Map<string, string>();
  while (skipBlank(cursor)) {
    const at: Location = { file, line: cursor.line, column: 1 };
    if (options.raw === true) {
      entries.push(readRaw(cursor, at));
      continue;
    }
    LINE.lastIndex = cursor.offset;
    const match = LINE.exec(cursor.text);
    if (match === null) throw refuseLine(restOfLine(cursor), at);
    cursor.offset = LINE.lastIndex;
    const name = match[1] ?? "";
    const value = match[2] === undefined ? undefined : readValue(cursor, at, own, options);
    if (match[2] === undefined) endLine(cursor, at);
    const known = value ?? options.environment.get(name);
    if (known !== undefined) own.set(name, known);
    entries.push({ name, value, at });
  }
  return entries;
}

function skipBlank(cursor: Cursor): boolean {
  for (;;) {
    const start = cursor.offset;
    while (cursor.text[cursor.offset] === " " || cursor.text[cursor.offset] === "\t")
      cursor.offset++;
    const found = cursor.text[cursor.offset];
    if (found === undefined) return false;
    if (found === "#") skipLine(cursor);
    else if (found === "\n" || found === "\r") advance(cursor, 1);
    else {
      cursor.offset = start;
      return true;
    }
  }
}

function advance(cursor: Cursor, length: number): void {
  for (let i = 0; i < length; i++) if (cursor.text[cursor.offset++] === "\n") cursor.line++;
}

function restOfLine(cursor: Cursor): string {
  const end = cursor.text.indexOf("\n", cursor.offset);
  return cursor.text.slice(cursor.offset, end < 0 ? undefined : end).replace(/\r$/, "");
}

function skipLine(cursor: Cursor): void {
  const end = cursor.text.indexOf("\n", cursor.offset);
  cursor.offset = end < 0 ? cursor.text.length : end;
}

/** The content may be a secret: the message names the place and the form, never the line itself. */
function refuseLine(line: string, at: Location): FairleadError {
  const why = line.includes("=")
    ? "the name before = has a character that no name has"
    : "there is no =";
  return refuse(composeErrors["bad-env-file"], `this line is not NAME=value: ${why}`, at);
}

function endLine(cursor: Cursor, at: Location): void {
  const rest = restOfLine(cursor).trim();
  if (rest !== "" && !rest.startsWith("#")) {
    throw refuse(composeErrors["bad-env-file"], "there is text after the end of the value", at);
  }
  skipLine(cursor);
}

function readRaw(cursor: Cursor, at: Location): EnvFileEntry {
  const line = restOfLine(cursor);
  skipLine(cursor);
  const split = line.indexOf("=");
  const name = (split < 0 ? line : line.slice(0, split)).trim();
  if (name === "") throw refuseLine(line, at);
  return { name, value: split < 0 ? undefined : line.slice(split + 1), at };
}

function readValue(
  cursor: Cursor,
  at: Location,
  own: ReadonlyMap<string, string>,
  options: EnvFileOptions,
): string {
  const quote = cursor.text[cursor.offset];
  if (quote === "'" || quote === '"') {
    const inside = readQuoted(cursor, quote, at);
    endLine(cursor, at);
    return quote === "'" ? inside : expand(inside, at, own, options);
  }
  const line = restOfLine(cursor);
  skipLine(cursor);
  const comment = /(?:^|\s)#/.exec(line);
  return expand((comment === null ? line : line.slice(0, comment.index)).trim(), at, own, options);
}

function readQuoted(cursor: Cursor, quote: string, at: Location): string {
  advance(cursor, 1);
  let out = "";
  for (;;) {
    const found = cursor.text[cursor.offset];
    if (found === undefined) {
      throw refuse(composeErrors["bad-env-file"], `the quote ${quote} is not closed`, at);
    }
    advance(cursor, 1);
    if (found === quote) return out;
    const next = cursor.text[cursor.offset];
    if (found !== "\\" || next === undefined) {
      out += found;
      continue;
    }
    const escaped = quote === "'" ? (next === "'" ? "'" : undefined) : ESCAPES[next];
    out += escaped ?? `\\${next}`;
    advance(cursor, 1);
  }
}

function expand(
  text: string,
  at: Location,
  own: ReadonlyMap<string, string>,
  options: EnvFileOptions,
): string {
  try {
    return interpolate(text, {
      lookup: (name) => options.environment.get(name) ?? own.get(name),
      onUnset: () => {},
    });
  } catch (thrown) {
    const problem = FairleadError.from(thrown);
    throw refuse(problem.kind, problem.message, at);
  }
}
