// SPDX-License-Identifier: Apache-2.0
// Fields of a body: those of a table are checked, all others have to say nothing and are left out of what is sent.
import { deny } from "./deny.ts";

/** The value to send, undefined to leave it out; throws FL1901. `at` names the field for people. */
export type Check = (value: unknown, at: string) => unknown;

/** Fields by their exact names. */
export type Fields = Readonly<Record<string, Check>>;

/** True for what the engine takes for "nothing said": also lists and objects of nothing. */
function saysNothing(value: unknown): boolean {
  if (value === null || value === undefined || value === "" || value === 0 || value === false)
    return true;
  return typeof value === "object" && Object.values(value).every(saysNothing);
}

/** The fields that may be sent. Throws FL1901 for one that may not and says something. */
export function readFields(value: unknown, fields: Fields, at: string): Record<string, unknown> {
  if (value === null || value === undefined) return {};
  if (typeof value !== "object" || Array.isArray(value)) return deny(`${at || "it"} is no object`);
  const taken: [string, unknown][] = [];
  for (const [name, inner] of Object.entries(value)) {
    const place = at === "" ? name : `${at}.${name}`;
    const check = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (check !== undefined) {
      const clean = check(inner, place);
      if (clean !== undefined) taken.push([name, clean]);
    } else if (!saysNothing(inner)) deny(`${place.slice(0, 100)} may not be set`);
  }
  return Object.fromEntries(taken);
}

const isText = (value: unknown): value is string =>
  typeof value === "string" && !value.includes("\0");

/** A string of a form; an absent one is left out. */
export function text(form = /^[^\0]{0,4096}$/s): Check {
  return (value, at) => {
    if (value === null || value === undefined || value === "") return undefined;
    return isText(value) && form.test(value) ? value : deny(`${at} may not be so`);
  };
}

/** One of these words; the first is what saying nothing means. */
export function oneOf(...words: readonly string[]): Check {
  return (value, at) => {
    if (value === null || value === undefined || value === "") return undefined;
    const known = typeof value === "string" && words.includes(value);
    return known ? value : deny(`${at} may only be ${words.join(" or ")}`);
  };
}

/** `true` or `false`. */
export const flag: Check = (value, at) =>
  value === null || typeof value === "boolean" ? (value ?? undefined) : deny(`${at} is no flag`);

/** A whole number within bounds. */
export function whole(min: number, max: number): Check {
  return (value, at) => {
    if (value === null || value === undefined) return undefined;
    const fits = typeof value === "number" && Number.isSafeInteger(value);
    return fits && value >= min && value <= max ? value : deny(`${at} may be ${min} to ${max}`);
  };
}

/** A list of strings, or one string, as commands may be. */
export function texts(countMax: number, form = /^[^\0]*$/s): Check {
  return (value, at) => {
    if (value === null || value === undefined) return undefined;
    const items: unknown[] = Array.isArray(value) ? value : [value];
    const fits = items.length <= countMax && items.every((one) => isText(one) && form.test(one));
    return fits ? items : deny(`${at} has an entry that may not be`);
  };
}

/** A word that clients tell themselves and the engine does not know: left out. */
export const ignored: Check = () => undefined;

/** Nothing at all, whatever nothing looks like. */
export const nothing: Check = (value, at) =>
  saysNothing(value) || value === -1 ? undefined : deny(`${at} may not be set`);

/** An object whose names and values are strings of forms. */
export function textMap(name: RegExp, form: RegExp, countMax = 100): Check {
  return (value, at) => {
    if (value === null || value === undefined) return undefined;
    if (typeof value !== "object" || Array.isArray(value)) return deny(`${at} is no object`);
    const entries = Object.entries(value);
    const fits =
      entries.length <= countMax &&
      entries.every(([key, inner]) => name.test(key) && isText(inner) && form.test(inner));
    return fits ? Object.fromEntries(entries) : deny(`${at} has an entry that may not be`);
  };
}

/** An object whose names are of a form and whose values say nothing: sets, as Go writes them. */
export function nameSet(name: RegExp, countMax = 100): Check {
  return (value, at) => {
    if (value === null || value === undefined) return undefined;
    if (typeof value !== "object" || Array.isArray(value)) return deny(`${at} is no object`);
    const names = Object.keys(value);
    const fits =
      names.length <= countMax &&
      names.every((one) => name.test(one)) &&
      Object.values(value).every(saysNothing);
    return fits
      ? Object.fromEntries(names.map((one) => [one, {}]))
      : deny(`${at} has an entry that may not be`);
  };
}
