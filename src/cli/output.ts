// SPDX-License-Identifier: Apache-2.0
// The one way to stdout and stderr: answers go to stdout in the form asked for, all else to stderr.
import type { API_VERSION } from "@fairlead/protocol/views.ts";
import { applyFilters } from "./filters.ts";
import { formatCount } from "./format.ts";
import { keepColours, makePrintable } from "./printable.ts";
import { createStyle, type Style } from "./style.ts";
import { type Column, renderTable } from "./table.ts";
import type { Terminal } from "./terminal.ts";

export type Form = "table" | "wide" | "json" | "jsonl" | "yaml" | "name";
export const FORMS: readonly Form[] = ["table", "wide", "json", "jsonl", "yaml", "name"];

/** The version in every document. Spelled here so that start-up does not load the schemas. */
export const VERSION_OF_API: typeof API_VERSION = "fairlead/v1";

/** The envelope of every answer. */
export interface Envelope<T> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly asOf: string;
  readonly partial: boolean;
  readonly missing: readonly string[];
  readonly items: readonly T[];
}

/** How a list is shown. */
export interface ListView<T> {
  readonly columns: readonly Column<T>[];
  readonly name: (item: T) => string;
  /** Said on stderr instead of a table without rows. */
  readonly empty: string;
}

/** How one object is shown. */
export interface DocumentView<T> {
  readonly kind: string;
  readonly text: (item: T, style: Style) => readonly string[];
  readonly name: (item: T) => string;
}

export interface OutputOptions {
  readonly form: Form;
  readonly quiet: boolean;
  readonly filters: readonly string[];
  readonly terminal: Terminal;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

export interface Output {
  readonly form: Form;
  readonly quiet: boolean;
  readonly terminal: Terminal;
  readonly style: Style;
  /** The style of stderr. */
  readonly noteStyle: Style;
  /** Whether people read stdout. */
  readonly forPeople: boolean;
  line(text: string): void;
  /** A line on stderr; nothing with --quiet or --progress quiet. */
  note(text: string): void;
  /** A warning on stderr, always. */
  warn(text: string): void;
  list<T>(answer: Envelope<T>, view: ListView<T>): Promise<void>;
  document<T>(item: T, view: DocumentView<T>): Promise<void>;
  /** One message of a stream: a line of JSON, or the text. */
  stream<T>(item: T, text: (item: T, style: Style) => string): Promise<void>;
}

/** An envelope for what is not a list of the node's. */
export function wrapItems<T>(
  kind: string,
  items: readonly T[],
  missing: readonly string[] = [],
): Envelope<T> {
  return {
    apiVersion: VERSION_OF_API,
    kind,
    asOf: new Date().toISOString(),
    partial: missing.length > 0,
    missing,
    items,
  };
}

async function renderYaml(value: unknown): Promise<string> {
  const { stringify } = await import("yaml");
  // Readers of YAML 1.1 take a bare `no` for false.
  return stringify(value, { aliasDuplicateObjects: false, lineWidth: 0, compat: "yaml-1.1" });
}

/** What an answer says of itself, and not of somebody who did not answer. */
const FINDING = /^policy: |^\d+ conversations /;

/** Why an answer is not the whole, a line for each finding and one for all who are silent. */
function tellMissing(missing: readonly string[]): readonly string[] {
  const silent = missing.filter((text) => !FINDING.test(text));
  return [
    ...missing.filter((text) => FINDING.test(text)).map((text) => `! ${text}`),
    ...(silent.length === 0 ? [] : [`! partial: no answer from ${silent.join(", ")}`]),
  ];
}

/** `none of 6 services matches --filter state=ok`: a list that is empty because of what was asked for. */
function tellNoMatch({ kind, items }: Envelope<unknown>, filters: readonly string[]): string {
  const noun = kind.replace(/List$/, "").toLowerCase();
  const asked = filters.map((text) => `--filter ${makePrintable(text)}`).join(" ");
  return `none of ${formatCount(items.length, noun)} matches ${asked}`;
}

function chooseColumns<T>(
  items: readonly T[],
  columns: readonly Column<T>[],
  form: Form,
): readonly Column<T>[] {
  return columns.filter(({ hidden, wide, tellsApart, value }) => {
    if (hidden === true) return false;
    if (wide !== true || form === "wide") return true;
    return tellsApart === true && new Set(items.map(value)).size > 1;
  });
}

/** Makes the output of one run. */
export function createOutput(options: OutputOptions): Output {
  const { form, quiet, terminal, stdout, stderr } = options;
  const style = createStyle(terminal.color, terminal.unicode);
  const noteStyle = createStyle(terminal.errorColor, terminal.unicode);
  const forPeople = !quiet && (form === "table" || form === "wide");
  const line = (text: string) => stdout(`${keepColours(style.plain(text))}\n`);
  const warn = (text: string) => stderr(`${keepColours(noteStyle.plain(text))}\n`);
  const note = (text: string) => {
    if (!quiet && terminal.progress !== "quiet") warn(text);
  };

  /** True when the answer was written in a form for machines. */
  async function machine<T>(answer: Envelope<T>, name: (item: T) => string): Promise<boolean> {
    if (quiet || form === "name")
      for (const item of answer.items) stdout(`${makePrintable(name(item))}\n`);
    else if (form === "json") stdout(`${JSON.stringify(answer, undefined, 2)}\n`);
    else if (form === "jsonl") for (const item of answer.items) stdout(`${JSON.stringify(item)}\n`);
    else if (form === "yaml") stdout(await renderYaml(answer));
    else return false;
    return true;
  }

  return {
    form,
    quiet,
    terminal,
    style,
    noteStyle,
    forPeople,
    line,
    note,
    warn,
    async list(answer, view) {
      const kept = { ...answer, items: applyFilters(answer.items, view.columns, options.filters) };
      if (answer.partial) for (const text of tellMissing(answer.missing)) warn(text);
      if (await machine(kept, view.name)) return;
      if (kept.items.length === 0) {
        if (answer.items.length > 0) note(tellNoMatch(answer, options.filters));
        // That nothing was told does not mean that there is nothing.
        else if (!answer.partial) note(view.empty);
        return;
      }
      const columns = chooseColumns(kept.items, view.columns, form);
      stdout(`${renderTable(kept.items, columns, style).join("\n")}\n`);
    },
    async document(item, view) {
      if (await machine(wrapItems(view.kind, [item]), view.name)) return;
      for (const text of view.text(item, style)) line(text);
    },
    async stream(item, text) {
      if (form === "json" || form === "jsonl") stdout(`${JSON.stringify(item)}\n`);
      else if (form === "yaml") stdout(`---\n${await renderYaml(item)}`);
      else line(text(item, style));
    },
  };
}
