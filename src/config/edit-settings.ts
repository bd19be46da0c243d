// SPDX-License-Identifier: Apache-2.0
// Changes a settings file for its owner and leaves the rest as it was written, comments included. Each value that was set
// has a comment that says so, and what stood there before: from it the change is taken back.
import { isCollection, isMap, isScalar, parseDocument, Scalar, type Document } from "yaml";

/** First line of a file that was not there before. */
const MADE = "# this file was made by fairlead join, and goes with fairlead leave\n";
const MARK = / ?by fairlead join(?:, was (.*))?$/;

/** Dotted paths to texts: `{ "fleet.name": "harbour" }`. */
export type SettingChanges = Readonly<Record<string, string>>;

function render(document: Document): string {
  return document.toString({ lineWidth: 0 });
}

function setValue(document: Document, path: string, value: string): void {
  const keys = path.split(".");
  const node = document.getIn(keys, true);
  const before = isScalar(node) ? node.value : undefined;
  if (before === value) return;
  const scalar = isScalar(node) ? node : new Scalar(value);
  // What was set by an earlier join is not what stood there before.
  const own = isScalar(node) && MARK.test(node.comment ?? "");
  const was = before === undefined || own ? "" : `, was ${JSON.stringify(before)}`;
  const comment = own ? (scalar.comment ?? "") : ` by fairlead join${was}`;
  scalar.comment = own || !scalar.comment ? comment : `${scalar.comment};${comment}`;
  scalar.value = value;
  delete scalar.source;
  document.setIn(keys, scalar);
}

/** The text with the values set. It has to be a settings file, or empty; undefined where there is none. */
export function editSettings(text: string | undefined, changes: SettingChanges): string {
  const document = parseDocument(text ?? MADE);
  for (const [path, value] of Object.entries(changes)) setValue(document, path, value);
  // Between braces a comment would end the line.
  if (isMap(document.contents)) loosen(document.contents);
  return render(document);
}

function hasMark(node: unknown): boolean {
  if (isScalar(node)) return MARK.test(node.comment ?? "");
  return isMap(node) && node.items.some(({ value }) => hasMark(value));
}

function loosen(node: unknown): void {
  if (!isMap(node) || !hasMark(node)) return;
  node.flow = false;
  for (const { value } of node.items) loosen(value);
}

function parseBefore(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether the pair goes: it stood not there before. What did is put back. */
function restore(node: unknown): boolean {
  if (isMap(node)) {
    const count = node.items.length;
    node.items = node.items.filter(({ value }) => !restore(value));
    return count > 0 && node.items.length === 0;
  }
  if (!isScalar(node)) return false;
  const found = MARK.exec(node.comment ?? "");
  if (found === null) return false;
  const before = found[1] === undefined ? undefined : parseBefore(found[1]);
  if (before === undefined) return true;
  node.value = before;
  delete node.source;
  const kept = (node.comment ?? "").slice(0, found.index).replace(/;$/, "");
  node.comment = kept === "" ? null : kept;
  return false;
}

/** The text without what `editSettings` set; undefined for a file that it made, when nothing else is in it. */
export function restoreSettings(text: string): string | undefined {
  const isMade = text.startsWith(MADE);
  const document = parseDocument(isMade ? text.slice(MADE.length) : text);
  const { contents } = document;
  if (!hasMark(contents)) return text;
  restore(contents);
  const isEmpty = contents === null || (isCollection(contents) && contents.items.length === 0);
  if (!isEmpty) return render(document);
  document.contents = null;
  const rest = render(document).replace(/(^|\n)null\n?$/, "$1");
  if (rest.trim() !== "") return rest;
  return isMade ? undefined : "";
}
