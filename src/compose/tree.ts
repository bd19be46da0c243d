// SPDX-License-Identifier: Apache-2.0
// A Compose file as a tree in which every node knows where it was written. All passes are functions from tree to tree.
import type { Location } from "#base/errors.ts";

/** `!reset` removes what earlier files said; `!override` replaces it instead of merging. */
export type Tag = "reset" | "override";

/** What a single value can be. */
export type ScalarValue = string | number | boolean | null;

/** A single value. */
export interface ScalarNode {
  readonly kind: "scalar";
  readonly value: ScalarValue;
  /** The text of an unquoted number, so that 0440 and 12345678901234567890 are not lost. */
  readonly source?: string;
  /** True when a variable was put in: such text may stand for a number or a truth value. */
  readonly interpolated?: boolean;
  readonly at: Location;
  readonly tag?: Tag;
}

/** One key of a mapping. */
export interface Entry {
  readonly keyAt: Location;
  readonly value: Tree;
}

/** A mapping; keys in the order of the file. */
export interface MapNode {
  readonly kind: "map";
  readonly entries: ReadonlyMap<string, Entry>;
  readonly at: Location;
  readonly tag?: Tag;
}

/** A list. */
export interface ListNode {
  readonly kind: "list";
  readonly items: readonly Tree[];
  readonly at: Location;
  readonly tag?: Tag;
}

/** Any node. */
export type Tree = ScalarNode | MapNode | ListNode;

/** A single value at a place. */
export function scalar(value: ScalarValue, at: Location): ScalarNode {
  return { kind: "scalar", value, at };
}

/** A list at a place. */
export function list(items: readonly Tree[], at: Location): ListNode {
  return { kind: "list", items, at };
}

/** A mapping whose keys all stand at `at`; undefined values are left out. */
export function map(
  values: Readonly<Record<string, Tree | ScalarValue | undefined>>,
  at: Location,
): MapNode {
  const entries = new Map<string, Entry>();
  for (const [key, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const node = typeof value === "object" && value !== null ? value : scalar(value, at);
    entries.set(key, { keyAt: at, value: node });
  }
  return { kind: "map", entries, at };
}

/** Whether nothing is written there: an empty value, `null` or `~`. */
export function isNull(node: Tree): boolean {
  return node.kind === "scalar" && node.value === null;
}

/** The value under a key of a mapping; undefined for anything else. */
export function child(node: Tree | undefined, key: string): Tree | undefined {
  return node?.kind === "map" ? node.entries.get(key)?.value : undefined;
}

/** The text of a scalar as Compose reads it; undefined for null, lists and mappings. */
export function textOf(node: Tree | undefined): string | undefined {
  if (node?.kind !== "scalar" || node.value === null) return undefined;
  if (typeof node.value !== "number") return String(node.value);
  const source = node.source ?? String(node.value);
  // Compose's YAML reader takes a leading zero as octal, so the text of `0123` is "83".
  if (/^0[0-7]+$/.test(source)) return String(Number.parseInt(source, 8));
  return /^-?[1-9]\d*$/.test(source) ? source : String(node.value);
}

/** The mapping with one entry put in or replaced, in place where the key was. */
export function withEntry(node: MapNode, key: string, value: Tree, keyAt?: Location): MapNode {
  const entries = new Map(node.entries);
  entries.set(key, { keyAt: keyAt ?? entries.get(key)?.keyAt ?? value.at, value });
  return { ...node, entries };
}

/** The mapping without some keys. */
export function withoutEntries(node: MapNode, keys: readonly string[]): MapNode {
  const entries = new Map(node.entries);
  for (const key of keys) entries.delete(key);
  return { ...node, entries };
}

/** The mapping with each value changed; undefined removes the entry. */
export function mapEntries(
  node: MapNode,
  change: (value: Tree, key: string) => Tree | undefined,
): MapNode {
  const entries = new Map<string, Entry>();
  for (const [key, entry] of node.entries) {
    const value = change(entry.value, key);
    if (value !== undefined) entries.set(key, { keyAt: entry.keyAt, value });
  }
  return { ...node, entries };
}

/** What was written, in words for a message. */
export function describeKind(node: Tree): string {
  if (node.kind === "map") return "a mapping";
  if (node.kind === "list") return "a list";
  if (node.value === null) return "empty";
  if (typeof node.value === "string") return "a text";
  return typeof node.value === "number" ? "a number" : "a truth value";
}

/** Plain data, positions left out. `__proto__` and the like stay plain keys. */
export function toPlain(node: Tree): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(toPlain);
  return Object.fromEntries([...node.entries].map(([key, entry]) => [key, toPlain(entry.value)]));
}
