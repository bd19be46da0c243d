// SPDX-License-Identifier: Apache-2.0
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type Pair,
  type YAMLMap,
} from "yaml";
import type { Location } from "#base/errors.ts";
import { composeErrors } from "./errors.ts";
import { ComposeFailure, refuse } from "./findings.ts";
import type { Entry, ScalarNode, Tag, Tree } from "./tree.ts";

/** No real Compose file comes near: 500 services are about 200 KB. */
export const FILE_SIZE_MAX_BYTES = 2 * 1024 * 1024;
/** Nodes after aliases are expanded; 5,000 services of 50 nodes each. */
const NODE_COUNT_MAX = 250_000;
/** The deepest place of the Compose Specification is 9 levels down. */
const DEPTH_MAX = 64;

interface Reading {
  readonly file: string;
  readonly lines: LineCounter;
  readonly anchors: Map<string, Node>;
  /** Anchors whose node is being read, to see an alias that contains itself. */
  readonly open: Set<Node>;
  nodeCount: number;
}

/**
 * The documents of one YAML text as trees, aliases and merge keys expanded. Throws a ComposeFailure:
 * not-yaml, duplicate-key, too-big.
 */
export function parseTrees(text: string, file: string): Tree[] {
  if (text.length > FILE_SIZE_MAX_BYTES) {
    const limit = `${FILE_SIZE_MAX_BYTES / 1024 / 1024} MiB`;
    throw refuse(composeErrors["too-big"], `the file is larger than ${limit}`, {
      file,
      line: 1,
      column: 1,
    });
  }
  const lines = new LineCounter();
  try {
    const parsed = parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: false, // the library compares each key with each other one; readMap does it in one pass
      logLevel: "silent",
    });
    const documents = Array.isArray(parsed) ? parsed : [];
    return documents.flatMap((document) => readDocument(document, file, lines));
  } catch (thrown) {
    if (thrown instanceof ComposeFailure) throw thrown;
    // The library reads nested collections recursively: a very deep text ends its stack.
    if (thrown instanceof RangeError) {
      throw refuse(composeErrors["too-big"], "the file is nested too deeply", {
        file,
        line: 1,
        column: 1,
      });
    }
    const because = thrown instanceof Error ? thrown.message : String(thrown);
    throw refuse(composeErrors["not-yaml"], `the file cannot be read as YAML: ${because}`, {
      file,
      line: 1,
      column: 1,
    });
  }
}

function readDocument(document: Document.Parsed, file: string, lines: LineCounter): Tree[] {
  const reading: Reading = { file, lines, anchors: new Map(), open: new Set(), nodeCount: 0 };
  const [error] = document.errors;
  if (error !== undefined) {
    const message = error.message.split("\n")[0] ?? "not YAML";
    throw refuse(composeErrors["not-yaml"], message, locate(reading, error.pos[0]));
  }
  if (document.contents === null) return [];
  const tree = readNode(document.contents, reading, 0);
  return tree.kind === "scalar" && tree.value === null ? [] : [tree];
}

function locate(reading: Reading, offset: number | undefined): Location {
  const { line, col } = reading.lines.linePos(offset ?? 0);
  return { file: reading.file, line: Math.max(1, line), column: Math.max(1, col) };
}

function readTag(node: Node, reading: Reading, at: Location): Tag | undefined {
  const { tag } = node;
  if (tag === undefined || tag.startsWith("tag:yaml.org,2002:")) return undefined;
  if (tag === "!reset") return "reset";
  if (tag === "!override") return "override";
  if (tag === "!") return undefined;
  throw refuse(
    composeErrors["not-yaml"],
    `unknown tag ${tag}`,
    at,
    `only !reset and !override are known in ${reading.file}`,
  );
}

function readNode(node: Node, reading: Reading, depth: number): Tree {
  const at = locate(reading, node.range?.[0]);
  if (++reading.nodeCount > NODE_COUNT_MAX) {
    throw refuse(
      composeErrors["too-big"],
      `the file expands to more than ${NODE_COUNT_MAX} values`,
      at,
    );
  }
  if (depth > DEPTH_MAX) {
    throw refuse(
      composeErrors["too-big"],
      `the file is nested deeper than ${DEPTH_MAX} levels`,
      at,
    );
  }
  if (isAlias(node)) return readAlias(node.source, at, reading, depth);
  if ("anchor" in node && node.anchor !== undefined) reading.anchors.set(node.anchor, node);
  const tag = readTag(node, reading, at);
  const tagged = tag === undefined ? {} : { tag };
  reading.open.add(node);
  let tree: Tree;
  if (isMap(node)) {
    tree = { kind: "map", entries: readEntries(node, reading, depth), at, ...tagged };
  } else if (isSeq(node)) {
    const items = node.items.map((item) => readItem(item, at, reading, depth));
    tree = { kind: "list", items, at, ...tagged };
  } else {
    tree = { ...readScalar(node, at), ...tagged };
  }
  reading.open.delete(node);
  return tree;
}

function readItem(item: unknown, at: Location, reading: Reading, depth: number): Tree {
  return isNode(item) ? readNode(item, reading, depth + 1) : { kind: "scalar", value: null, at };
}

function isNode(value: unknown): value is Node {
  return isMap(value) || isSeq(value) || isScalar(value) || isAlias(value);
}

function readAlias(name: string, at: Location, reading: Reading, depth: number): Tree {
  const target = reading.anchors.get(name);
  if (target === undefined) {
    throw refuse(composeErrors["not-yaml"], `the alias *${name} has no anchor before it`, at);
  }
  if (reading.open.has(target)) {
    throw refuse(composeErrors["cycle"], `the alias *${name} contains itself`, at);
  }
  return readNode(target, reading, depth + 1);
}

function readScalar(node: Node, at: Location): ScalarNode {
  if (!isScalar(node)) return { kind: "scalar", value: null, at };
  const { value } = node;
  if (typeof value === "number") {
    return {
      kind: "scalar",
      value,
      at,
      ...(node.source === undefined ? {} : { source: node.source }),
    };
  }
  if (typeof value === "string" || typeof value === "boolean" || value === null) {
    return { kind: "scalar", value, at };
  }
  return { kind: "scalar", value: node.source ?? String(value), at };
}

function readEntries(node: YAMLMap, reading: Reading, depth: number): Map<string, Entry> {
  const own = new Map<string, Entry>();
  const merged = new Map<string, Entry>();
  for (const pair of node.items) {
    const { key, keyAt, quoted } = readKey(pair, node, reading);
    const value = isNode(pair.value)
      ? readNode(pair.value, reading, depth + 1)
      : ({ kind: "scalar", value: null, at: keyAt } as const);
    if (key === "<<" && !quoted) {
      collectMerge(value, keyAt, merged);
      continue;
    }
    const before = own.get(key);
    if (before !== undefined) {
      throw refuse(
        composeErrors["duplicate-key"],
        `the key "${key}" is here a second time; the first is in line ${before.keyAt.line ?? 0}`,
        keyAt,
      );
    }
    own.set(key, { keyAt, value });
  }
  for (const [key, entry] of merged) if (!own.has(key)) own.set(key, entry);
  return own;
}

function readKey(
  pair: Pair,
  node: YAMLMap,
  reading: Reading,
): { key: string; keyAt: Location; quoted: boolean } {
  const keyNode = isAlias(pair.key) ? reading.anchors.get(pair.key.source) : pair.key;
  const keyAt = locate(reading, isNode(pair.key) ? pair.key.range?.[0] : node.range?.[0]);
  if (isScalar(keyNode) && typeof keyNode.value === "string") {
    if (keyNode.anchor !== undefined) reading.anchors.set(keyNode.anchor, keyNode);
    return { key: keyNode.value, keyAt, quoted: keyNode.type !== "PLAIN" };
  }
  const shown = isScalar(keyNode) ? `${keyNode.source ?? String(keyNode.value)}` : "a collection";
  throw refuse(
    composeErrors["wrong-type"],
    `a key has to be a text, but this one is ${shown}`,
    keyAt,
    "put it in quotes",
  );
}

/** `<<: *a` and `<<: [*a, *b]`: the first that has a key gives its value. */
function collectMerge(value: Tree, at: Location, merged: Map<string, Entry>): void {
  const sources = value.kind === "list" ? value.items : [value];
  for (const source of sources) {
    if (source.kind !== "map") {
      throw refuse(composeErrors["wrong-type"], "<< takes a mapping or a list of mappings", at);
    }
    for (const [key, entry] of source.entries) if (!merged.has(key)) merged.set(key, entry);
  }
}
