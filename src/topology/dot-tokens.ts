// SPDX-License-Identifier: Apache-2.0
// The words of the DOT language with their places.
import { topologyErrors } from "./errors.ts";
import { refuseText } from "./layout.ts";

/** `end` comes last, once. */
export interface DotToken {
  readonly kind: "id" | "string" | "sign" | "end";
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

const SPACE = /[ \t\r\n\f\v\uFEFF]+|\/\/[^\n]*/y;
const HASH_LINE = /#[^\n]*/y;
const ID = /[A-Za-z_\u0080-\uFFFF][\w\u0080-\uFFFF]*|-?(?:\.\d+|\d+(?:\.\d*)?)/y;
const SIGN = /->|--|[{}[\]=;,:]/y;

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

/** Where an offset is; offsets must ascend from call to call. */
function createLineCounter(text: string): (offset: number) => { line: number; column: number } {
  let [line, lineStart] = [1, 0];
  return (offset) => {
    for (;;) {
      const end = text.indexOf("\n", lineStart);
      if (end < 0 || end >= offset) return { line, column: offset - lineStart + 1 };
      [line, lineStart] = [line + 1, end + 1];
    }
  };
}

/** Reads `agent-1` without quotation marks, which DOT itself does not: the names of agents have dashes. */
function readName(text: string, at: number): string | undefined {
  const [first] = match(ID, text, at) ?? [];
  if (first === undefined) return undefined;
  const [rest = ""] = match(/(?:-?[\w\u0080-\uFFFF]+)*/y, text, at + first.length) ?? [];
  return first + rest;
}

/** Where the white space or comment at `at` ends; `at` itself when there is none. */
function skipBlank(text: string, at: number): number {
  if (text.startsWith("/*", at)) {
    const end = text.indexOf("*/", at + 2);
    return end < 0 ? at : end + 2;
  }
  const isLineStart = at === 0 || text[at - 1] === "\n";
  const blank = match(SPACE, text, at) ?? (isLineStart ? match(HASH_LINE, text, at) : null);
  return at + (blank?.[0].length ?? 0);
}

/** Where the string that begins at `at` ends, behind its mark; undefined when it does not, or none begins. */
function findStringEnd(text: string, at: number): number | undefined {
  if (text[at] !== '"') return undefined;
  for (let i = at + 1; i < text.length; i++) {
    if (text[i] === '"') return i + 1;
    if (text[i] === "\\") i++;
  }
  return undefined;
}

/** A string as it is written. */
export function writeString(text: string): string {
  return `"${text.replaceAll(/[\\"]/g, "\\$&")}"`;
}

/** What stands between the marks of a string: a line may be broken behind a backslash. */
function readString(written: string): string {
  return written.replaceAll(/\\(["\\\n])/g, (_, mark: string) => (mark === "\n" ? "" : mark));
}

/** The tokens of a DOT text. Throws `bad-dot` for what is none, `dot-unsupported` for HTML, each with its place. */
export function* readDotTokens(text: string, file: string): Generator<DotToken> {
  const placeOf = createLineCounter(text);
  for (let at = 0; at < text.length;) {
    const begin = skipBlank(text, at);
    if (begin > at) {
      at = begin;
      continue;
    }
    const place = placeOf(at);
    const stringEnd = findStringEnd(text, at);
    const sign = match(SIGN, text, at)?.[0];
    const name = sign === undefined ? readName(text, at) : undefined;
    if (stringEnd !== undefined) {
      yield { kind: "string", text: readString(text.slice(at + 1, stringEnd - 1)), ...place };
      at = stringEnd;
    } else if (sign !== undefined) {
      yield { kind: "sign", text: sign, ...place };
      at += sign.length;
    } else if (name !== undefined) {
      yield { kind: "id", text: name, ...place };
      at += name.length;
    } else if (text[at] === "<")
      throw refuseText(topologyErrors["dot-unsupported"], "HTML is not read", file, place);
    else {
      const what = { '"': "a string without an end", "/": "a comment without an end" }[
        text[at] ?? ""
      ];
      const message = what ?? `${JSON.stringify(text[at])} may not be here`;
      throw refuseText(topologyErrors["bad-dot"], message, file, place);
    }
  }
  yield { kind: "end", text: "the end", ...placeOf(text.length) };
}
