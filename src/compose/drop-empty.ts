// SPDX-License-Identifier: Apache-2.0

type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: NonNullable<T[K]>;
};

/** The object without undefined values, empty lists and empty mappings: what says nothing is not sent, and not hashed. */
export function dropEmpty<T extends object>(value: T): Present<T> {
  const kept = Object.entries(value).filter(([, v]) => !saysNothing(v));
  return Object.fromEntries(kept) as Present<T>;
}

function saysNothing(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === "object" && Object.keys(value).length === 0;
}
