// SPDX-License-Identifier: Apache-2.0
// What policies can see of a context: fields that they name, and of a number that they compare only on which side of each
// bound it is. Two moments that policies cannot tell apart have one key, and so one answer in the cache.
import type { RightsContext } from "@fairlead/protocol/rights.ts";

/** For each field the bounds that it is compared with, or `raw` when more than that is seen of it. */
export type Visible = ReadonlyMap<keyof RightsContext, readonly number[] | "raw">;

/** Every field, in the order of keys. */
const CONTEXT_FIELDS: readonly (keyof RightsContext)[] = [
  "method",
  "subject",
  "perMinute",
  "usualPerMinute",
  "timesUsual",
  "newPeer",
  "watchedMinutes",
  "hourUtc",
  "weekdayUtc",
];
const COMPARISONS: ReadonlySet<string> = new Set(["<", "<=", ">", ">=", "==", "!="]);

type Tree = Readonly<Record<string, unknown>>;

const isTree = (value: unknown): value is Tree =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isContext = (value: unknown): boolean => isTree(value) && value["Var"] === "context";

/** The field of `context.FIELD`. */
function readField(value: unknown): string | undefined {
  const inner = isTree(value) ? value["."] : undefined;
  return isTree(inner) && isContext(inner["left"]) ? String(inner["attr"]) : undefined;
}

function readBound(value: unknown): number | undefined {
  const bound = isTree(value) ? value["Value"] : undefined;
  return typeof bound === "number" ? bound : undefined;
}

/** What policies, as trees of JSON, see; names that are no field are told to `onUnknown`. */
export function findVisible(
  policies: readonly unknown[],
  onUnknown?: (field: string) => void,
): Visible {
  const seen = new Map<keyof RightsContext, Set<number> | "raw">();
  const see = (name: string, bound?: number): void => {
    const field = CONTEXT_FIELDS.find((one) => one === name);
    if (field === undefined) return onUnknown?.(name);
    const before = seen.get(field);
    if (bound === undefined || before === "raw") seen.set(field, "raw");
    else seen.set(field, (before ?? new Set<number>()).add(bound));
  };
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(walk);
    if (!isTree(value)) return;
    const field = readField(value);
    if (field !== undefined) return see(field);
    if (isContext(value)) return CONTEXT_FIELDS.forEach((one) => see(one));
    for (const [name, inner] of Object.entries(value)) {
      if (COMPARISONS.has(name) && isTree(inner)) {
        const { left, right } = inner;
        const compared = readField(left) ?? readField(right);
        const bound = readBound(right) ?? readBound(left);
        if (compared !== undefined && bound !== undefined) {
          see(compared, bound);
          continue;
        }
      }
      walk(inner);
    }
  };
  walk(policies);
  return new Map(
    [...seen].map(([field, bounds]) => [
      field,
      bounds === "raw" ? bounds : [...bounds].toSorted((a, b) => a - b),
    ]),
  );
}

/** Which side of each bound a number is on: on the second of two it is 3, between them 2. */
function rank(value: number, bounds: readonly number[]): number {
  let at = 0;
  for (const bound of bounds) {
    if (value < bound) return at;
    if (value === bound) return at + 1;
    at += 2;
  }
  return at;
}

/** What policies see of a context, as text. */
export function makeKey(context: RightsContext, visible: Visible): string {
  let key = "";
  for (const [field, bounds] of visible) {
    const value = context[field];
    key +=
      bounds === "raw" || typeof value !== "number" ? `\n${value}` : `\n${rank(value, bounds)}`;
  }
  return key;
}
