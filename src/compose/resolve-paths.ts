// SPDX-License-Identifier: Apache-2.0
import type { Shape } from "./shape.ts";
import { type Entry, type Tree } from "./tree.ts";

/** The tree with every relative path made absolute; `resolve` knows the directory. Absolute ones stay. */
export function resolvePaths(node: Tree, shape: Shape, resolve: (path: string) => string): Tree {
  if (node.tag === "reset" || !hasPaths(shape)) return node;
  const inner = resolveInside(node, shape, resolve);
  return shape.resolvePaths === undefined ? inner : shape.resolvePaths(inner, resolve);
}

function resolveInside(node: Tree, shape: Shape, resolve: (path: string) => string): Tree {
  if (node.kind === "list" && shape.kind === "list") {
    return { ...node, items: node.items.map((item) => resolvePaths(item, shape.item, resolve)) };
  }
  if (node.kind !== "map" || (shape.kind !== "record" && shape.kind !== "object")) return node;
  const entries = new Map<string, Entry>();
  for (const [key, { keyAt, value }] of node.entries) {
    const inner = shape.kind === "record" ? shape.value : fieldOf(shape.fields, key);
    entries.set(key, {
      keyAt,
      value: inner === undefined ? value : resolvePaths(value, inner, resolve),
    });
  }
  return { ...node, entries };
}

function fieldOf(
  fields: Readonly<Record<string, { readonly shape: Shape }>>,
  key: string,
): Shape | undefined {
  return Object.hasOwn(fields, key) ? fields[key]?.shape : undefined;
}

const known = new WeakMap<Shape, boolean>();

/** Whether anything below the shape is a path; most of a file is not, and need not be copied. */
function hasPaths(shape: Shape): boolean {
  const before = known.get(shape);
  if (before !== undefined) return before;
  let found = shape.resolvePaths !== undefined;
  if (shape.kind === "list") found ||= hasPaths(shape.item);
  if (shape.kind === "record") found ||= hasPaths(shape.value);
  if (shape.kind === "object") found ||= Object.values(shape.fields).some((f) => hasPaths(f.shape));
  known.set(shape, found);
  return found;
}
