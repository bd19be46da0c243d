// SPDX-License-Identifier: Apache-2.0
// The engine's filters, narrowed to what is the agent's: labels are joined by "and".
import { OWN_LABELS } from "#model/facts.ts";
import { deny, refuseForm } from "./deny.ts";
import { nameOwner, namePrefix } from "./owner.ts";
import { parseBody } from "./parse-body.ts";
import type { DockerOwner } from "./warden.ts";

/** Filters by name. */
export type Filters = ReadonlyMap<string, readonly string[]>;

const VALUES_MAX = 20;

/** Reads both forms that clients send: `{"label":["a"]}` and `{"label":{"a":true}}`. Throws FL1901, FL1902. */
export function readFilters(text: string | null, known: readonly string[]): Filters {
  const filters = new Map<string, readonly string[]>();
  if (text === null || text === "") return filters;
  for (const [name, value] of Object.entries(parseBody(Buffer.from(text)))) {
    if (!known.includes(name)) deny(`the filter ${name.slice(0, 40)} is not allowed here`);
    if (typeof value !== "object" || value === null) return refuseForm(`${name} is no filter`);
    const values: readonly unknown[] = Array.isArray(value) ? value : Object.keys(value);
    if (values.length > VALUES_MAX || !values.every((one) => typeof one === "string"))
      return refuseForm(`${name} is no filter`);
    filters.set(name, values as readonly string[]);
  }
  return filters;
}

/** The filters with that of the owner, as the engine takes them. Names are the engine's. */
export function makeFilters(owner: DockerOwner, filters: Filters): string {
  const label = [...(filters.get("label") ?? []), `${OWN_LABELS.agent}=${nameOwner(owner)}`];
  const name = filters.get("name")?.map((one) => one.replace(/^\^\/?/, `^/?${namePrefix(owner)}`));
  const all = { ...Object.fromEntries(filters), label, ...(name === undefined ? {} : { name }) };
  return JSON.stringify(all);
}
