// SPDX-License-Identifier: Apache-2.0
// `fairlead.place`: what placement of several nodes wants to know that Compose has no word for.

/** What `fairlead.place` says. */
export interface PlaceWord {
  readonly strategy: "spread" | "pack";
  readonly near: readonly string[];
  readonly apart: readonly string[];
  readonly priority: number;
}

/** The form of the label, in words. */
export const PLACE_FORM =
  "spread or pack, and near=SERVICES, apart=SERVICES, priority=NUMBER, for example pack near=db priority=10";

const SERVICE = /^(?:[a-z0-9][a-z0-9_-]{0,62}\/)?[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$/;
const PRIORITY = /^-?\d{1,6}$/;

function readServices(text: string): readonly string[] | undefined {
  const names = text.split(",");
  return names.every((name) => SERVICE.test(name)) ? [...new Set(names)].sort() : undefined;
}

/** `pack near=db,cache apart=web priority=10`; undefined when it is not of that form. */
export function readPlace(value: string): PlaceWord | undefined {
  let read: PlaceWord = { strategy: "spread", near: [], apart: [], priority: 0 };
  const seen = new Set<string>();
  for (const part of value.split(/\s+/).filter(Boolean)) {
    const [key = "", text, ...rest] = part.split("=");
    const name = text === undefined ? "strategy" : key;
    if (rest.length > 0 || seen.has(name)) return undefined;
    seen.add(name);
    if (text === undefined) {
      if (key !== "spread" && key !== "pack") return undefined;
      read = { ...read, strategy: key };
    } else if (key === "near" || key === "apart") {
      const services = readServices(text);
      if (services === undefined) return undefined;
      read = { ...read, [key]: services };
    } else if (key === "priority" && PRIORITY.test(text))
      read = { ...read, priority: Number(text) };
    else return undefined;
  }
  return seen.size === 0 ? undefined : read;
}
