// SPDX-License-Identifier: Apache-2.0
// Links as a file has them: what is read from CSV, JSON and Graphviz, and becomes a custom topology.
import { AgentName } from "@fairlead/protocol/agent.ts";
import { HOPS_MAX_DEFAULT } from "@fairlead/protocol/topology.ts";
import type { DeclarationOf, TopologyLink } from "@fairlead/protocol/topology.ts";
import { FairleadError } from "#base/errors.ts";
import type { ErrorKind, Location } from "#base/errors.ts";
import { topologyErrors } from "./errors.ts";
import type { LinkSet } from "./links.ts";
import { compareNames } from "./member.ts";

/** Characters of a file that are read at most. */
export const TEXT_LENGTH_MAX = 16_000_000;
/** Members of a file at most: a matrix of 2,000 has 4 million cells. */
export const MEMBERS_MAX = 2_000;
const LINKS_MAX = 100_000;

/** Members, sorted, and links, sorted. Members without a link are among them. */
export interface Layout {
  readonly members: readonly string[];
  readonly links: readonly TopologyLink[];
  readonly directed: boolean;
}

/** An error at a place of the file. */
export function refuseText(
  kind: ErrorKind,
  message: string,
  file: string,
  place?: { readonly line: number; readonly column: number },
): FairleadError {
  const location: Location = { file, ...(place === undefined ? {} : place) };
  return new FairleadError(kind, message, { location });
}

/** Throws `topology-too-large` for a text that is not read. */
export function checkLength(text: string, file: string): void {
  if (text.length <= TEXT_LENGTH_MAX) return;
  const message = `${file} has ${text.length} characters, ${TEXT_LENGTH_MAX} are read`;
  throw refuseText(topologyErrors["topology-too-large"], message, file);
}

/** Throws `bad-member-name` unless it is a DNS label. */
export function checkName(
  name: string,
  file: string,
  place?: { readonly line: number; readonly column: number },
): void {
  if (AgentName.safeParse(name).success) return;
  const shown = name === "" ? "an empty name" : JSON.stringify(name.slice(0, 80));
  throw refuseText(
    topologyErrors["bad-member-name"],
    `${shown} is no name of a member`,
    file,
    place,
  );
}

/** Throws `topology-too-large` for more members or links than are read. */
export function checkCount(what: "members" | "links", count: number, file: string): void {
  const most = what === "members" ? MEMBERS_MAX : LINKS_MAX;
  if (count <= most) return;
  const message = `${file} has ${count} ${what}, ${most} are read`;
  throw refuseText(topologyErrors["topology-too-large"], message, file);
}

/** The layout of names and links. Throws `topology-too-large`. */
export function finishLayout(names: Iterable<string>, links: LinkSet, file: string): Layout {
  const members = [...names].sort(compareNames);
  checkCount("members", members.length, file);
  const list = links.list();
  checkCount("links", list.length, file);
  return { members, links: list, directed: links.directed };
}

/** The declaration of a layout: its members by name, its links, nothing handed on unless set otherwise. */
export function declareLayout(
  layout: Layout,
  options: { readonly relay?: boolean; readonly hopsMax?: number } = {},
): DeclarationOf<"custom"> {
  return {
    kind: "custom",
    members: { names: [...layout.members] },
    links: [...layout.links],
    directed: layout.directed,
    relay: options.relay ?? false,
    hopsMax: options.hopsMax ?? HOPS_MAX_DEFAULT,
  };
}
