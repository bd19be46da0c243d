// SPDX-License-Identifier: Apache-2.0
// What stands in a store is parsed once, however often it is looked at: the value of an entry never changes, and several
// readers of a process may have the same.
import type { z } from "zod";
import { readShared } from "./read-shared.ts";

type Read = <T extends z.ZodType>(schema: T, value: unknown) => z.infer<T> | undefined;

/** What people want is read whole or not at all. */
export const readWhole: Read = (schema, value) => schema.safeParse(value).data;

/** By schema and value. */
const parsed = new WeakMap<z.ZodType, WeakMap<object, unknown>>();

/**
 * The value as the schema has it, without what this version does not know unless told otherwise: a schema is always read in
 * the same way. Undefined for one that is absent, no object, or not readable. It is shared: nobody may change it.
 */
export function parseOnce<T extends z.ZodType>(
  schema: T,
  value: unknown,
  read: Read = readShared,
): z.infer<T> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  let known = parsed.get(schema);
  if (known === undefined) parsed.set(schema, (known = new WeakMap()));
  if (!known.has(value)) known.set(value, read(schema, value));
  return known.get(value) as z.infer<T> | undefined;
}
