// SPDX-License-Identifier: Apache-2.0
// Entries of a store that nodes of several versions share, and what other nodes answer. A newer node says things that this
// one has no word for; whatever else it says is good all the same. What people want is not read so: half of that is not it.
import type { z } from "zod";

/** Where it says what this version does not know, if that is all that is wrong with it. */
function listUnknown({ issues }: z.ZodError): readonly (readonly PropertyKey[])[] | undefined {
  const found: (readonly PropertyKey[])[] = [];
  for (const issue of issues) {
    if (issue.code !== "unrecognized_keys") return undefined;
    for (const key of issue.keys) found.push([...issue.path, key]);
  }
  return found;
}

/** Takes one property out of a value that is nobody else's. */
function removeAt(value: unknown, [first, ...rest]: readonly PropertyKey[]): void {
  if (typeof value !== "object" || value === null || first === undefined) return;
  if (rest.length === 0) Reflect.deleteProperty(value, first);
  else removeAt(Reflect.get(value, first), rest);
}

/** The value without what this version does not know; undefined when it is not readable all the same. */
export function readShared<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> | undefined {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const unknown = listUnknown(read.error);
  if (unknown === undefined) return undefined;
  const known: unknown = structuredClone(value);
  for (const path of unknown) removeAt(known, path);
  return schema.safeParse(known).data;
}
