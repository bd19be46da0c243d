// SPDX-License-Identifier: Apache-2.0
import { FairleadError } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import { cliErrors } from "./errors.ts";
import type { Column } from "./table.ts";

function parseFilter(text: string, keys: readonly string[]): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) {
    throw new FairleadError(cliErrors["bad-value"], `--filter "${text}" is not KEY=VALUE`, {
      facts: { keys: keys.join(", ") },
    });
  }
  const key = text.slice(0, at);
  if (keys.includes(key)) return [key, text.slice(at + 1)];
  const nearest = findNearest(key, keys);
  throw new FairleadError(cliErrors["bad-value"], `--filter knows no key "${key}"`, {
    facts: { keys: keys.join(", ") },
    ...(nearest === undefined ? {} : { remedy: `did you mean ${nearest}=?` }),
  });
}

/** Items that pass: repeats of one key are OR, different keys AND. Throws FL0605 for an unknown key. */
export function applyFilters<T>(
  items: readonly T[],
  columns: readonly Column<T>[],
  filters: readonly string[],
): readonly T[] {
  const keys = columns.map((column) => column.key);
  const wanted = new Map<string, Set<string>>();
  for (const text of filters) {
    const [key, value] = parseFilter(text, keys);
    wanted.set(key, (wanted.get(key) ?? new Set()).add(value.toLowerCase()));
  }
  if (wanted.size === 0) return items;
  return items.filter((item) =>
    columns.every(
      (column) => wanted.get(column.key)?.has(column.value(item).toLowerCase()) ?? true,
    ),
  );
}
