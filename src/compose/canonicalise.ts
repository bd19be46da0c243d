// SPDX-License-Identifier: Apache-2.0
import type { Location } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import { composeErrors } from "./errors.ts";
import type { Findings } from "./findings.ts";
import { dedupe } from "./merge-trees.ts";
import type {
  FlagShape,
  ListShape,
  NumberShape,
  ObjectShape,
  RecordShape,
  Shape,
  TextShape,
} from "./shape.ts";
import {
  describeKind,
  type Entry,
  isNull,
  type MapNode,
  type ScalarNode,
  textOf,
  type Tree,
} from "./tree.ts";

const TRUE_WORDS = new Set(["true", "yes", "y", "on"]);
const FALSE_WORDS = new Set(["false", "no", "n", "off"]);

const NEEDS: Readonly<Record<Shape["kind"], string>> = {
  text: "a text",
  number: "a number",
  flag: "true or false",
  list: "a list",
  record: "a mapping",
  object: "a mapping",
  any: "a value",
};

/**
 * Checks a tree against a shape and gives it the one long form: short syntaxes expanded, numbers and truth values
 * converted. Every problem goes to `findings` with its place; what is wrong is left out of the result.
 */
export function canonicalise(node: Tree, shape: Shape, path: string, findings: Findings): Tree {
  // What !reset removes is never read, so it has no form to check.
  if (node.tag === "reset") return node;
  const expanded = shape.expand === undefined || isNull(node) ? node : shape.expand(node, findings);
  if (isNull(expanded)) {
    // A short form that could not be expanded has been reported already.
    if (shape.nullable === true || node.tag !== undefined || !isNull(node)) return expanded;
    return wrongType(expanded, shape.words ?? NEEDS[shape.kind], path, findings);
  }
  const result = checkKind(expanded, shape, path, findings);
  return node.tag === undefined || result.tag !== undefined ? result : { ...result, tag: node.tag };
}

function checkKind(node: Tree, shape: Shape, path: string, findings: Findings): Tree {
  switch (shape.kind) {
    case "any":
      return node;
    case "text":
      return checkText(node, shape, path, findings);
    case "number":
      return checkNumber(node, shape, path, findings);
    case "flag":
      return checkFlag(node, shape, path, findings);
    case "list":
      return checkList(node, shape, path, findings);
    case "record":
      return checkRecord(node, shape, path, findings);
    case "object":
      return checkObject(node, shape, path, findings);
  }
}

function nothing(at: Location): ScalarNode {
  return { kind: "scalar", value: null, at };
}

function wrongType(node: Tree, needed: string, path: string, findings: Findings): ScalarNode {
  findings.error(
    composeErrors["wrong-type"],
    `${path} has to be ${needed}, but is ${describeKind(node)}`,
    node.at,
  );
  return nothing(node.at);
}

function badValue(node: Tree, needed: string, path: string, findings: Findings): ScalarNode {
  findings.error(
    composeErrors["bad-value"],
    `${path}: "${textOf(node) ?? ""}" is not ${needed}`,
    node.at,
  );
  return nothing(node.at);
}

function isTaken(node: ScalarNode, loose: TextShape["loose"]): boolean {
  if (loose === undefined) return false;
  if (typeof node.value === "boolean") return loose === "any" || loose === "flags";
  return loose === "integers" ? Number.isInteger(node.value) : loose !== "flags";
}

function checkText(node: Tree, shape: TextShape, path: string, findings: Findings): Tree {
  if (node.kind !== "scalar") return wrongType(node, shape.words ?? "a text", path, findings);
  if (typeof node.value !== "string" && !isTaken(node, shape.loose)) {
    return wrongType(node, "a text (put it in quotes)", path, findings);
  }
  const written = textOf(node) ?? "";
  if (written.includes("\0")) return badValue(node, "free of NUL characters", path, findings);
  if (shape.values !== undefined && !shape.values.includes(written)) {
    const nearest = findNearest(written, shape.values);
    findings.error(
      composeErrors["bad-value"],
      `${path}: "${written}" is not one of ${shape.values.join(", ")}`,
      node.at,
      nearest === undefined ? undefined : `did you mean ${nearest}?`,
    );
    return nothing(node.at);
  }
  if (shape.check !== undefined && !shape.check(written)) {
    return badValue(node, shape.form ?? "a value that fits", path, findings);
  }
  return { kind: "scalar", value: shape.rewrite?.(written) ?? written, at: node.at };
}

function readNumber(node: ScalarNode, shape: NumberShape): number | undefined {
  if (typeof node.value === "number") {
    const octal = shape.octal === true && /^0o?[0-7]+$/.test(node.source ?? "");
    return octal ? Number.parseInt((node.source ?? "").replace(/^0o?/, ""), 8) : node.value;
  }
  if (typeof node.value !== "string") return undefined;
  if (shape.strict === true && node.interpolated !== true) return undefined;
  const written = node.value.trim();
  if (shape.octal === true)
    return /^(?:0o?)?[0-7]+$/.test(written)
      ? Number.parseInt(written.replace(/^0o/, ""), 8)
      : Number.NaN;
  return /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(written) ? Number(written) : Number.NaN;
}

function checkNumber(node: Tree, shape: NumberShape, path: string, findings: Findings): Tree {
  const needed = shape.integer === true ? "a whole number" : "a number";
  if (node.kind !== "scalar") return wrongType(node, needed, path, findings);
  const value = readNumber(node, shape);
  if (value === undefined) return wrongType(node, needed, path, findings);
  if (!Number.isFinite(value) || (shape.integer === true && !Number.isSafeInteger(value))) {
    return badValue(node, needed, path, findings);
  }
  if (
    (shape.min !== undefined && value < shape.min) ||
    (shape.max !== undefined && value > shape.max)
  ) {
    const range =
      shape.max === undefined ? `at least ${shape.min}` : `between ${shape.min} and ${shape.max}`;
    return badValue(node, range, path, findings);
  }
  return { kind: "scalar", value, at: node.at };
}

function checkFlag(node: Tree, shape: FlagShape, path: string, findings: Findings): Tree {
  if (node.kind !== "scalar") return wrongType(node, "true or false", path, findings);
  if (typeof node.value === "boolean") return { kind: "scalar", value: node.value, at: node.at };
  if (typeof node.value !== "string" || (shape.strict === true && node.interpolated !== true)) {
    return wrongType(node, "true or false", path, findings);
  }
  const written = node.value.trim().toLowerCase();
  if (TRUE_WORDS.has(written)) return { kind: "scalar", value: true, at: node.at };
  if (FALSE_WORDS.has(written)) return { kind: "scalar", value: false, at: node.at };
  return badValue(node, "true or false", path, findings);
}

function checkList(node: Tree, shape: ListShape, path: string, findings: Findings): Tree {
  if (node.kind !== "list") return wrongType(node, shape.words ?? "a list", path, findings);
  const items: Tree[] = [];
  for (const [index, item] of node.items.entries()) {
    const checked = canonicalise(item, shape.item, `${path}[${index}]`, findings);
    if (!isNull(checked)) items.push(checked);
  }
  return { ...node, items: dedupe(items, shape) };
}

function checkRecord(node: Tree, shape: RecordShape, path: string, findings: Findings): Tree {
  if (node.kind !== "map") return wrongType(node, shape.words ?? "a mapping", path, findings);
  const entries = new Map<string, Entry>();
  for (const [key, { keyAt, value }] of node.entries) {
    if (shape.keyPattern !== undefined && !shape.keyPattern.test(key) && !key.startsWith("x-")) {
      findings.error(
        composeErrors["bad-name"],
        `"${key}" in ${path} is not ${shape.keyForm ?? "a name of letters, digits, . _ -"}`,
        keyAt,
      );
      continue;
    }
    entries.set(key, {
      keyAt,
      value: canonicalise(value, shape.value, `${path}.${key}`, findings),
    });
  }
  return { ...node, entries };
}

function checkObject(node: Tree, shape: ObjectShape, path: string, findings: Findings): Tree {
  if (node.kind !== "map") return wrongType(node, shape.words ?? "a mapping", path, findings);
  const entries = new Map<string, Entry>();
  for (const [key, { keyAt, value }] of node.entries) {
    const field = Object.hasOwn(shape.fields, key) ? shape.fields[key] : undefined;
    const inner = path === "" ? key : `${path}.${key}`;
    if (field === undefined) {
      entries.set(key, { keyAt, value });
      const own = key.startsWith("x-") && shape.extensible !== false;
      if (!own) reportUnknown(key, keyAt, shape, path, findings);
      continue;
    }
    if (field.unsupported !== undefined && value.tag !== "reset") {
      findings.warn(
        composeErrors["unsupported-key"],
        `${inner} is not supported and has no effect: ${field.unsupported}`,
        keyAt,
      );
    }
    entries.set(key, { keyAt, value: canonicalise(value, field.shape, inner, findings) });
  }
  checkRequired(node, shape, path, findings);
  return { ...node, entries };
}

function reportUnknown(
  key: string,
  at: Location,
  shape: ObjectShape,
  path: string,
  findings: Findings,
): void {
  const nearest = findNearest(key.slice(0, 64), Object.keys(shape.fields));
  findings.error(
    composeErrors["unknown-key"],
    `unknown key "${key}"${path === "" ? "" : ` in ${path}`}`,
    at,
    nearest === undefined ? undefined : `did you mean ${nearest}?`,
  );
}

function checkRequired(node: MapNode, shape: ObjectShape, path: string, findings: Findings): void {
  for (const needed of shape.required ?? []) {
    const value = node.entries.get(needed)?.value;
    if (value !== undefined && !isNull(value)) continue;
    findings.error(composeErrors["wrong-type"], `${path} needs the key ${needed}`, node.at);
  }
}
