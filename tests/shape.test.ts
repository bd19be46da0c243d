// SPDX-License-Identifier: Apache-2.0
// The shape of the code, read from its syntax: functions stay small, what is exported is explained, every file is used.
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseSync } from "vite";
import { z } from "zod";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const LINES_MAX = 70;

const NODE = z.looseObject({ type: z.string(), start: z.number(), end: z.number() });
type Node = z.infer<typeof NODE>;

interface Source {
  readonly path: string;
  readonly text: string;
  readonly body: readonly Node[];
  /** Offsets at which doc comments end. */
  readonly docEnds: ReadonlySet<number>;
}

function parse(path: string, text = readFileSync(join(ROOT, path), "utf8")): Source {
  const { program, comments, errors } = parseSync(path, text);
  assert.deepEqual(errors, [], path);
  const docs = comments.filter(({ type, value }) => type === "Block" && value.startsWith("*"));
  const body = z.array(NODE).parse(program.body);
  return { path, text, body, docEnds: new Set(docs.map(({ end }) => end)) };
}

const PATTERNS = ["{src,lab,scripts,bench,tests}/**/*.ts", "packages/*/{.,src}/**/*.{ts,tsx}"];
const IGNORED = /(^|\/)(node_modules|dist|canaries)(\/|$)/;
const FILES = [...new Set(PATTERNS.flatMap((pattern) => globSync(pattern, { cwd: ROOT })))]
  .filter((path) => !IGNORED.test(path) && !path.endsWith(".d.ts"))
  .sort();
const SOURCES = FILES.map((path) => parse(path));
const PRODUCT = SOURCES.filter(({ path }) => !/\.test\.tsx?$|\/test(ing|data)\//.test(path));

function childrenOf(node: Node): Node[] {
  return Object.values(node).flatMap((value) =>
    (Array.isArray(value) ? value : [value]).flatMap((child: unknown) => {
      const parsed = NODE.safeParse(child);
      return parsed.success ? [parsed.data] : [];
    }),
  );
}

const FUNCTION = /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/;

interface Span {
  readonly from: number;
  readonly to: number;
}

/** Lines of code of functions longer than allowed; lines of functions inside of them are their own. */
function findLongFunctions(source: Source): string[] {
  const lines = source.text.split("\n");
  const starts = lines.map(() => 0);
  for (let i = 1; i < lines.length; i++)
    starts[i] = (starts[i - 1] ?? 0) + (lines[i - 1]?.length ?? 0) + 1;
  const lineOf = (offset: number): number => starts.findLastIndex((start) => start <= offset);
  const long: string[] = [];
  /** Returns the spans of the outermost functions below. */
  function visit(node: Node): Span[] {
    const inner = childrenOf(node).flatMap(visit);
    if (!FUNCTION.test(node.type)) return inner;
    const span = { from: lineOf(node.start), to: lineOf(node.end) };
    const nested = inner.reduce((sum, { from, to }) => sum + Math.max(0, to - from), 0);
    const own = span.to - span.from + 1 - nested;
    if (own > LINES_MAX) long.push(`${source.path}:${span.from + 1} has ${own} lines`);
    return [span];
  }
  for (const node of source.body) visit(node);
  return long;
}

test("no function has more than 70 lines of its own", () => {
  assert.deepEqual(PRODUCT.flatMap(findLongFunctions), []);
});

test("a function of 71 lines of its own is found, one with 71 lines of others is not", () => {
  const wrap = (inner: string): string => `function f() {\n${inner}}\n`;
  assert.equal(findLongFunctions(parse("a.ts", wrap("g();\n".repeat(69)))).length, 1);
  assert.deepEqual(findLongFunctions(parse("a.ts", wrap("g();\n".repeat(68)))), []);
  assert.deepEqual(findLongFunctions(parse("a.ts", wrap(wrap("g();\n".repeat(68))))), []);
});

/** True when nothing but white space is between a doc comment and the node. */
function isExplained(source: Source, node: Node): boolean {
  const before = source.text.slice(0, node.start).trimEnd().length;
  return source.docEnds.has(before);
}

const DEEDS = /^(FunctionDeclaration|ClassDeclaration)$/;
const ANYTHING = /./;
/** Rooms that everybody reads: there types and constants are explained too. */
const COMMON = /^(src\/(base|brain|model)|packages\/protocol)\//;

/** The name that a statement declares; the first of several. */
function readName(node: Node): string {
  const [first = node] = childrenOf(node).filter(({ type }) => type === "VariableDeclarator");
  const id = z.looseObject({ name: z.string() }).safeParse(first["id"]);
  return id.success ? id.data.name : "";
}

/**
 * What is exported without a doc comment, as `file:line`. The type of a schema has the schema's name, and what is said
 * of one is said of both.
 */
function findUnexplained(source: Source, kinds: RegExp): string[] {
  const explained = new Set<string>();
  return source.body.flatMap((node) => {
    const exported = NODE.safeParse(node["declaration"]);
    if (node.type !== "ExportNamedDeclaration" || !exported.success) return [];
    const name = readName(exported.data);
    if (isExplained(source, node)) explained.add(name);
    if (!kinds.test(exported.data.type) || explained.has(name)) return [];
    return [`${source.path}:${source.text.slice(0, node.start).split("\n").length}`];
  });
}

test("what a file lets others do is explained, and in common rooms whatever it exports", () => {
  const find = (source: Source): string[] =>
    findUnexplained(source, COMMON.test(source.path) ? ANYTHING : DEEDS);
  assert.deepEqual(PRODUCT.flatMap(find), []);
  const count = (path: string, text: string): number => find(parse(path, text)).length;
  assert.equal(count("a.ts", "// Why.\nexport function f() {}\n"), 1);
  const schema = "/** Why. */\nexport const A = z.string();\nexport type A = z.infer<typeof A>;\n";
  assert.equal(count("src/model/a.ts", schema), 0);
  assert.equal(count("src/model/a.ts", schema.slice(12)), 2);
  assert.equal(count("src/control/a.ts", schema.slice(12)), 0);
});

/** Where an import leads, as a path in the project; undefined for packages and Node's own. */
function resolveImport(from: string, name: string): string | undefined {
  if (name.startsWith("#lab/")) return `lab/${name.slice(5)}`;
  if (name.startsWith("#")) return `src/${name.slice(1)}`;
  if (name.startsWith("@fairlead/protocol/")) return `packages/protocol/${name.slice(19)}`;
  if (name.startsWith("@fairlead/fabric/")) return `packages/fabric/src/${name.slice(17)}`;
  if (name.startsWith("@fairlead/routing/")) return `packages/routing/src/${name.slice(18)}`;
  if (name.startsWith(".")) return relative(ROOT, join(ROOT, dirname(from), name));
  return undefined;
}

/** Whatever is spelled like a file of the project counts: imports of every kind, `new URL(…)`, arguments of spawn. */
function findMentions(path: string): string[] {
  const text = readFileSync(join(ROOT, path), "utf8");
  const names = [...text.matchAll(/["'`](?:file:\/\/)?([^"'`\s]+\.(?:tsx?|mjs|css))["'`]/g)];
  return names.flatMap(([, name = ""]) => {
    const resolved = resolveImport(path, name);
    const found = [resolved, name, join(dirname(path), name)].filter(
      (file) => file !== undefined && existsSync(join(ROOT, file)),
    );
    return found.length > 0 ? [relative(ROOT, join(ROOT, found[0] ?? ""))] : [];
  });
}

/** What people, npm and the machine start. */
const ENTRIES = [
  "src/main.ts",
  "bin/fairlead.mjs",
  "packages/sdk/src/sdk.ts",
  "packages/web/src/main.tsx",
  "packages/web/vite.config.ts",
  ...globSync(
    "{scripts,lab,lab/fuzz,lab/limbo,bench,tests/simulation,tests/faults}/{main,demo,test,check,setup,generate,images}.ts",
    {
      cwd: ROOT,
    },
  ),
];

test("every file is reached from an entry point or a test", () => {
  const waiting = [...ENTRIES, ...FILES.filter((path) => /\.test\.tsx?$/.test(path))];
  const reached = new Set<string>();
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path) || !existsSync(join(ROOT, path))) continue;
    reached.add(path);
    waiting.push(...findMentions(path));
  }
  assert.deepEqual(
    FILES.filter((path) => !reached.has(path)),
    [],
  );
});

test("no place of somebody's machine is in the code", () => {
  const place = /["'`(\s=](\/(?:home|Users|root|workspace|private)\/[a-z])/;
  const named = PRODUCT.filter(({ text }) => place.test(text)).map(({ path }) => path);
  assert.deepEqual(named, []);
});
