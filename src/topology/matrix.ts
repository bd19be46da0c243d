// SPDX-License-Identifier: Apache-2.0
// Adjacency matrices: row sends to column. A matrix that is the same across its diagonal has no direction.
import type { TopologyGraph, TopologyLink } from "@fairlead/protocol/topology.ts";
import { z } from "zod";
import { FairleadError } from "#base/errors.ts";
import { parseCsv, writeCell } from "./csv.ts";
import type { Cell } from "./csv.ts";
import { topologyErrors } from "./errors.ts";
import {
  checkCount,
  checkLength,
  checkName,
  finishLayout,
  MEMBERS_MAX,
  refuseText,
} from "./layout.ts";
import type { Layout } from "./layout.ts";
import { indexLinks, LinkSet } from "./links.ts";

type Links = Pick<TopologyGraph, "directed" | "members" | "links">;

/** A matrix as JSON has it: `matrix[i][j]` is 1 where `members[i]` may send to `members[j]`. */
export const AdjacencyMatrix = z.strictObject({
  members: z.array(z.string()).max(MEMBERS_MAX),
  matrix: z.array(z.array(z.union([z.literal(0), z.literal(1)]))),
  /** Taken from the matrix when absent: directed unless it is the same across its diagonal. */
  directed: z.boolean().optional(),
});
export type AdjacencyMatrix = z.infer<typeof AdjacencyMatrix>;

/** The matrix of a graph. */
function toMatrix(graph: Links): AdjacencyMatrix {
  const rows = indexLinks(graph).map((targets) => {
    const row: (0 | 1)[] = graph.members.map(() => 0);
    for (const target of targets) row[target] = 1;
    return row;
  });
  return { members: [...graph.members], matrix: rows, directed: graph.directed };
}

/** One line of JSON for each row. */
export function renderMatrixJson(graph: Links): string {
  const { members, matrix, directed } = toMatrix(graph);
  const rows = matrix.map((row) => `    ${JSON.stringify(row)}`).join(",\n");
  const body = rows === "" ? "[]" : `[\n${rows}\n  ]`;
  return `{\n  "members": ${JSON.stringify(members)},\n  "directed": ${directed},\n  "matrix": ${body}\n}\n`;
}

/** Names as the first row and column, 0 and 1 between them. */
export function renderMatrixCsv(graph: Links): string {
  const { members, matrix } = toMatrix(graph);
  const names = members.map(writeCell);
  const lines = matrix.map((row, i) => [names[i], ...row].join(","));
  return `${["", ...names].join(",")}\n${lines.map((line) => `${line}\n`).join("")}`;
}

/** The links with their direction, or without where each has its counterpart. */
function settleDirection(links: readonly TopologyLink[], directed?: boolean): LinkSet {
  const oneWay = new LinkSet(true, links);
  const isSymmetric = links.every(({ from, to }) => oneWay.has(to, from));
  return (directed ?? !isSymmetric) ? oneWay : new LinkSet(false, links);
}

/** Throws `duplicate-member` when a name is there twice. */
function checkTwice(cells: readonly { readonly text: string }[], file: string): void {
  const seen = new Set<string>();
  for (const cell of cells) {
    const place = "line" in cell ? (cell as Cell) : undefined;
    if (seen.has(cell.text))
      throw refuseText(
        topologyErrors["duplicate-member"],
        `${cell.text} is there twice`,
        file,
        place,
      );
    seen.add(cell.text);
  }
}

/** Whether a cell has a link. Throws `bad-matrix-cell` and `self-link`. */
function readCell(cell: Cell, from: string, to: string, file: string): boolean {
  if (cell.text === "" || cell.text === "0") return false;
  if (cell.text !== "1")
    throw refuseText(
      topologyErrors["bad-matrix-cell"],
      `the cell from ${from} to ${to} is ${JSON.stringify(cell.text.slice(0, 40))}`,
      file,
      cell,
    );
  if (from === to)
    throw refuseText(topologyErrors["self-link"], `${from} is linked to itself`, file, cell);
  return true;
}

/** The links of one row. Throws `bad-matrix` when it does not fit the first row. */
function readRow(
  row: readonly Cell[],
  from: Cell,
  header: readonly Cell[],
  file: string,
): TopologyLink[] {
  const [name, ...cells] = row;
  if (name?.text !== from.text) {
    const message = `the row is named ${name?.text ?? ""}, its column ${from.text}`;
    throw refuseText(topologyErrors["bad-matrix"], message, file, name ?? from);
  }
  if (cells.length !== header.length) {
    const message = `the row of ${from.text} has ${cells.length} cells for ${header.length} members`;
    throw refuseText(topologyErrors["bad-matrix"], message, file, row.at(-1) ?? name);
  }
  return cells.flatMap((cell, i) => {
    const to = header[i]?.text ?? "";
    return readCell(cell, from.text, to, file) ? [{ from: from.text, to }] : [];
  });
}

/** A matrix with names as its first row and column. Errors carry the line and column. */
export function parseMatrixCsv(text: string, file: string): Layout {
  checkLength(text, file);
  const [first = [], ...rows] = parseCsv(text, file);
  const header = first.slice(1);
  checkCount("members", header.length, file);
  for (const cell of header) checkName(cell.text, file, cell);
  checkTwice(header, file);
  if (rows.length !== header.length || header.length === 0) {
    const message = `${file} has ${header.length} columns of members and ${rows.length} rows`;
    const place = rows.at(header.length)?.[0] ?? first[0] ?? { line: 1, column: 1 };
    const { line, column } = place;
    throw refuseText(topologyErrors["bad-matrix"], message, file, { line, column });
  }
  const links = header.flatMap((from, i) => readRow(rows[i] ?? [], from, header, file));
  return finishLayout(
    header.map((cell) => cell.text),
    settleDirection(links),
    file,
  );
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    // The engine names a position for some mistakes only; for the others its message shows the text around.
    const [, offset] = /at position (\d+)/.exec(message) ?? [];
    const before = offset === undefined ? undefined : text.slice(0, Number(offset)).split("\n");
    const place =
      before === undefined ? {} : { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
    const kind = topologyErrors["bad-matrix-json"];
    throw new FairleadError(kind, `${file} is no JSON: ${message.slice(0, 200)}`, {
      cause: thrown,
      location: { file, ...place },
    });
  }
}

/** A matrix as JSON, see `AdjacencyMatrix`. Errors name the path in it, or what is no JSON. */
export function parseMatrixJson(text: string, file: string): Layout {
  checkLength(text, file);
  const parsed = AdjacencyMatrix.safeParse(parseJson(text, file));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const message = `${issue?.path.join(".") || "the file"}: ${issue?.message ?? "is no matrix"}`;
    throw refuseText(topologyErrors["bad-matrix-json"], message, file);
  }
  const { members, matrix, directed } = parsed.data;
  for (const name of members) checkName(name, file);
  checkTwice(
    members.map((member) => ({ text: member })),
    file,
  );
  if (matrix.length !== members.length || matrix.some((row) => row.length !== members.length)) {
    const message = `the matrix is not ${members.length} by ${members.length}, as many as members`;
    throw refuseText(topologyErrors["bad-matrix"], message, file);
  }
  const links = matrix.flatMap((row, i) =>
    row.flatMap((cell, j) =>
      cell === 1 ? [{ from: members[i] ?? "", to: members[j] ?? "" }] : [],
    ),
  );
  const own = links.find(({ from, to }) => from === to);
  if (own !== undefined)
    throw refuseText(topologyErrors["self-link"], `${own.from} is linked to itself`, file);
  return finishLayout(members, settleDirection(links, directed), file);
}
