// SPDX-License-Identifier: Apache-2.0
// How a later file changes an earlier one, by the merge rules of the Compose Specification.
import { canonicalJson } from "#base/canonical-json.ts";
import type { ListShape, Shape } from "./shape.ts";
import { type Entry, isNull, type ListNode, type MapNode, toPlain, type Tree } from "./tree.ts";

/** `base` changed by `over`; both in canonical form. Undefined when `over` resets it. */
export function mergeTrees(base: Tree, over: Tree, shape: Shape | undefined): Tree | undefined {
  if (over.tag === "reset") return undefined;
  if (over.tag === "override" || base.tag === "reset") return over;
  // An empty value in a later file says nothing.
  if (isNull(over)) return base;
  if (isNull(base)) return over;
  if (decide(base, over, shape) === "replace") return over;
  if (base.kind === "map" && over.kind === "map") return mergeMaps(base, over, shape);
  if (base.kind === "list" && over.kind === "list") return mergeLists(base, over, shape);
  return over;
}

function decide(base: Tree, over: Tree, shape: Shape | undefined): "replace" | "merge" {
  const merge = shape?.merge;
  if (merge === undefined) return "merge";
  return merge === "replace" ? "replace" : merge(base, over);
}

function shapeOf(shape: Shape | undefined, key: string): Shape | undefined {
  if (shape?.kind === "record") return shape.value;
  if (shape?.kind !== "object" || !Object.hasOwn(shape.fields, key)) return undefined;
  return shape.fields[key]?.shape;
}

function mergeMaps(base: MapNode, over: MapNode, shape: Shape | undefined): MapNode {
  const entries = new Map<string, Entry>(base.entries);
  for (const [key, entry] of over.entries) {
    const before = entries.get(key);
    if (before === undefined) {
      entries.set(key, entry);
      continue;
    }
    const value = mergeTrees(before.value, entry.value, shapeOf(shape, key));
    if (value === undefined) entries.delete(key);
    else if (value !== before.value) entries.set(key, { keyAt: entry.keyAt, value });
  }
  return { ...base, entries, at: over.at };
}

function mergeLists(base: ListNode, over: ListNode, shape: Shape | undefined): ListNode {
  const items = [...base.items, ...over.items];
  return { ...base, items: dedupe(items, shape?.kind === "list" ? shape : undefined) };
}

/** One item for each key, the later one in the place of the earlier, merged with it when both are mappings that ask for it. */
export function dedupe(items: readonly Tree[], shape: ListShape | undefined): Tree[] {
  const kept = new Map<string, Tree>();
  for (const item of items) {
    const key = shape?.keyOf?.(item) ?? canonicalJson(toPlain(item));
    const before = kept.get(key);
    const merges =
      before !== undefined && shape?.item.merge !== "replace" && shape?.keyOf !== undefined;
    kept.set(key, merges ? (mergeTrees(before, item, shape?.item) ?? item) : item);
  }
  return [...kept.values()];
}

/** The tree without what `!reset` marks, and without the marks of `!override`. */
export function pruneTags(node: Tree): Tree {
  if (node.kind === "scalar") return node;
  if (node.kind === "list") {
    const items = node.items.filter((item) => item.tag !== "reset").map(pruneTags);
    return { kind: "list", items, at: node.at };
  }
  const entries = new Map<string, Entry>();
  for (const [key, { keyAt, value }] of node.entries) {
    if (value.tag !== "reset") entries.set(key, { keyAt, value: pruneTags(value) });
  }
  return { kind: "map", entries, at: node.at };
}
