// SPDX-License-Identifier: Apache-2.0
// `npm run generate`: writes what is made from code. With --check it writes nothing and exits 1 when something is stale.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { renderComposeReference } from "#compose/render-reference.ts";
import { renderConfigReference } from "#config/render-reference.ts";
import { errorGenerators } from "./generate-errors.ts";
import { readRooms, renderLint } from "./generate-lint.ts";
import { openApiGenerators } from "./generate-openapi.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** One generated file. */
export interface Generator {
  /** Relative to the project. */
  readonly path: string;
  readonly render: () => string | Promise<string>;
}

const BEGIN = "<!-- rooms:begin -->";
const END = "<!-- rooms:end -->";

function readText(path: string): string {
  try {
    return readFileSync(`${ROOT}${path}`, "utf8");
  } catch {
    return "";
  }
}

/** The picture of who imports whom, between its marks in ARCHITECTURE.md. */
function renderArchitecture(): string {
  const rooms = readRooms();
  const lines = ["```mermaid", "flowchart LR"];
  for (const [name, room] of Object.entries(rooms))
    lines.push(`  ${name}["${name}<br/>${room.kind}"]`);
  for (const [name, room] of Object.entries(rooms)) {
    const above = room.imports.filter((other) => other !== "base" && other !== "model");
    for (const other of above) lines.push(`  ${name} --> ${other}`);
    for (const file of room.interfaces ?? [])
      lines.push(`  ${name} -. "${file}" .-> ${file.split("/")[0] ?? ""}`);
  }
  lines.push("```");
  const text = readText("ARCHITECTURE.md");
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < 0) throw new Error(`ARCHITECTURE.md lacks ${BEGIN} or ${END}`);
  return `${text.slice(0, begin + BEGIN.length)}\n${lines.join("\n")}\n${text.slice(end)}`;
}

/** All of them. */
export const GENERATORS: readonly Generator[] = [
  { path: ".oxlintrc.json", render: renderLint },
  { path: "ARCHITECTURE.md", render: renderArchitecture },
  { path: "docs/reference/compose.md", render: renderComposeReference },
  { path: "docs/reference/config.md", render: renderConfigReference },
  ...errorGenerators,
  ...openApiGenerators,
];

/** Paths whose content is not what would be generated now. */
export async function findStale(): Promise<readonly string[]> {
  const stale: string[] = [];
  for (const { path, render } of GENERATORS)
    if ((await render()) !== readText(path)) stale.push(path);
  return stale;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });
  const stale = await findStale();
  for (const path of stale) process.stdout.write(`${values.check ? "stale" : "wrote"} ${path}\n`);
  if (values.check) process.exit(stale.length === 0 ? 0 : 1);
  for (const { path, render } of GENERATORS) {
    if (!stale.includes(path)) continue;
    mkdirSync(dirname(`${ROOT}${path}`), { recursive: true });
    writeFileSync(`${ROOT}${path}`, await render());
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
