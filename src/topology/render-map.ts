// SPDX-License-Identifier: Apache-2.0
// A graph as text, for `fairlead map`: it is drawn as what it is, with what would break it.
import type {
  ObservedLink,
  ObservedLinks,
  TopologyDrift,
  TopologyGraph,
  TopologyLink,
} from "@fairlead/protocol/topology.ts";
import { HOPS_MAX_DEFAULT } from "@fairlead/protocol/topology.ts";
import { LinkSet } from "./links.ts";
import { compareNames } from "./member.ts";
import { measureTopology } from "./metrics.ts";
import type { TopologyMetrics } from "./metrics.ts";
import { readRound } from "./ring.ts";

export interface MapOptions {
  /** Characters of a line. */
  readonly width?: number;
  /** Lines of the drawing; what is left out is counted. */
  readonly linesMax?: number;
  /** Links that were compared with what flows, and what was seen. */
  readonly drift?: TopologyDrift;
  readonly observed?: ObservedLinks;
  /** Members that are not back: since the node started, or since theirs was lost. */
  readonly awaited?: readonly string[];
}

/** Words joined and broken into lines of at most `width`, the later ones indented. A longer word has its own line. */
function wrapWords(words: readonly string[], width: number, indent: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of words) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line.trim() !== "" && longer.length > width) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line = longer;
  }
  return line === "" ? lines : [...lines, line];
}

function drawRound(graph: TopologyGraph, width: number): string[] | undefined {
  const round = readRound(graph);
  const [first] = round ?? [];
  if (round === undefined || first === undefined) return undefined;
  const arrow = graph.directed ? "→" : "─";
  const words = round.map((name) => `${name} ${arrow}`);
  return round.length === 1 ? [first] : wrapWords([...words, first], width, "  ");
}

/** Who hangs on whom, from the hub down; undefined when the links form no tree. */
function drawTree(graph: TopologyGraph): string[] | undefined {
  if (graph.hub === undefined || graph.links.length !== graph.members.length - 1) return undefined;
  const links = new LinkSet(false, graph.links);
  const lines: string[] = [];
  const waiting: { name: string; parent?: string; head: string; indent: string }[] = [
    { name: graph.hub, head: "", indent: "" },
  ];
  for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) {
    const { name, parent, head, indent } = item;
    lines.push(`${head}${name}`);
    if (lines.length > graph.members.length) return undefined;
    const children = [...links.from(name)].filter((each) => each !== parent).sort(compareNames);
    for (const [i, child] of children.toReversed().entries())
      waiting.push({
        name: child,
        parent: name,
        head: `${indent}${i === 0 ? "└─ " : "├─ "}`,
        indent: `${indent}${i === 0 ? "   " : "│  "}`,
      });
  }
  return lines;
}

/** A line for each member with its links. */
function drawLists(graph: TopologyGraph, width: number): string[] {
  const links = new LinkSet(graph.directed, graph.links);
  const longest = graph.members.reduce((most, name) => Math.max(most, name.length), 0);
  return graph.members.flatMap((name) => {
    const targets = [...links.from(name)].sort(compareNames);
    const head = `${name.padEnd(longest)} ${targets.length === 0 ? "·" : graph.directed ? "→" : "─"}`;
    return wrapWords([head, ...targets], width, " ".repeat(longest + 3));
  });
}

function draw(graph: TopologyGraph, width: number): string[] {
  switch (graph.kind) {
    case "ring":
      return drawRound(graph, width) ?? drawLists(graph, width);
    case "star":
    case "tree":
      return drawTree(graph) ?? drawLists(graph, width);
    case "mesh":
    case "custom":
      return drawLists(graph, width);
  }
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? "" : "s"}`;
}

function describeLinks(links: readonly TopologyLink[], directed: boolean): string[] {
  const texts = links.map(({ from, to }) => `${from} ${directed ? "→" : "─"} ${to}`);
  return texts.map((text, i) => (i < texts.length - 1 ? `${text},` : text));
}

/** What there is to worry about, a paragraph each. */
function describeWeakness(graph: TopologyGraph, metrics: TopologyMetrics): string[][] {
  const { components, articulationPoints, bridges, pairsBeyondHops = 0, waysMeasured } = metrics;
  const commas = (names: readonly string[]): string[] =>
    names.map((name, i) => (i < names.length - 1 ? `${name},` : name));
  return [
    ...(components.length < 2
      ? []
      : [
          [
            `${components.length} parts that cannot reach each other:`,
            ...commas(
              components.map(([first = "", ...rest]) =>
                rest.length === 0 ? first : `${first} +${rest.length}`,
              ),
            ),
          ],
        ]),
    ...(articulationPoints.length === 0
      ? []
      : [["single points of failure:", ...commas(articulationPoints)]]),
    ...(bridges.length === 0
      ? []
      : [["links without another way round:", ...describeLinks(bridges, graph.directed)]]),
    ...(graph.relay && pairsBeyondHops > 0
      ? [[`${count(pairsBeyondHops, "pair")} farther apart than ${count(graph.hopsMax, "hop")}`]]
      : []),
    ...(graph.relay && !waysMeasured
      ? [[`how many pairs are farther apart than ${count(graph.hopsMax, "hop")} is not measured`]]
      : []),
  ];
}

/** Names with commas between them. */
function listWords(words: readonly string[]): string[] {
  return words.map((word, i) => (i < words.length - 1 ? `${word},` : word));
}

function describeCounts(
  links: readonly ObservedLink[],
  directed: boolean,
  count: (link: ObservedLink) => number,
): string[] {
  const arrow = directed ? "→" : "─";
  return listWords(links.map((link) => `${link.from} ${arrow} ${link.to} (${count(link)})`));
}

/** Who does not tell, and what is left out: without it a list would look whole. */
function describeGaps({ silent, omitted }: ObservedLinks): string[][] {
  return [
    ...(silent.length === 0 ? [] : [["not told by, so not known of:", ...listWords(silent)]]),
    ...(omitted === 0 ? [] : [[`${omitted} messages on links too many to be told apart`]]),
  ];
}

function describeDrift(drift: TopologyDrift, directed: boolean): string[][] {
  const { undeclared, unused, unknown, refused } = drift;
  const part = (title: string, words: readonly string[]): string[][] =>
    words.length === 0 ? [] : [[title, ...words]];
  return [
    ...part(
      "in use but not declared:",
      describeCounts(undeclared, directed, (link) => link.used),
    ),
    ...part("declared but not in use:", describeLinks(unused, directed)),
    ...part("declared, use not known:", describeLinks(unknown, directed)),
    ...part(
      "refused tries:",
      describeCounts(refused, directed, (link) => link.refused),
    ),
  ];
}

function describeHead(graph: TopologyGraph, metrics: TopologyMetrics): string {
  const { diameter, linkCount, waysMeasured } = metrics;
  const middle = graph.kind === "tree" ? "root" : "hub";
  return [
    `${graph.kind} of ${count(graph.members.length, "member")}`,
    count(linkCount, "link"),
    ...(graph.hub === undefined ? [] : [`${middle} ${graph.hub}`]),
    ...(waysMeasured ? [] : ["longest way not measured"]),
    ...(diameter === undefined ? [] : [`longest way ${count(diameter, "hop")}`]),
    graph.relay ? `relays up to ${count(graph.hopsMax, "hop")}` : "does not relay",
  ].join(", ");
}

const PARAGRAPH_LINES_MAX = 10;

function clip(lines: readonly string[], most: number): string[] {
  const more = lines.length - most;
  return more <= 0 ? [...lines] : [...lines.slice(0, most), `… and ${count(more, "more line")}`];
}

/** The graph as text: a summary, the drawing, weak points and drift. Ends with a newline. */
export function renderMap(graph: TopologyGraph, options: MapOptions = {}): string {
  const { width = 100, linesMax = 200, drift, observed, awaited = [] } = options;
  const metrics = measureTopology(graph);
  const notes = [
    ...describeWeakness(graph, metrics),
    ...(awaited.length === 0
      ? []
      : [["not back yet, their places are kept:", ...listWords(awaited)]]),
    ...(drift === undefined ? [] : describeDrift(drift, graph.directed)),
    ...(observed === undefined ? [] : describeGaps(observed)),
  ].flatMap((words) => clip(wrapWords(words, width, "  "), PARAGRAPH_LINES_MAX));
  const parts = [
    wrapWords(describeHead(graph, metrics).split(" "), width, "  "),
    clip(draw(graph, width), linesMax),
    notes,
  ].filter((lines) => lines.length > 0);
  return `${parts.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

/** Links in use, as a graph: what one would declare to allow just them. */
export function graphObserved({ links, agents }: ObservedLinks): TopologyGraph {
  const inUse = links.filter(({ used, from, to }) => used > 0 && from !== to);
  const names = new Set([...agents, ...inUse.flatMap(({ from, to }) => [from, to])]);
  return {
    kind: "custom",
    directed: true,
    members: [...names].sort(compareNames),
    links: inUse.map(({ from, to }) => ({ from, to })),
    relay: false,
    hopsMax: HOPS_MAX_DEFAULT,
  };
}

/** Who talks to whom, a line for each that sends. Ends with a newline. */
export function renderObserved(observed: ObservedLinks, options: MapOptions = {}): string {
  const { width = 100, linesMax = 200 } = options;
  const graph = graphObserved(observed);
  const counts = new Map(observed.links.map((link) => [`${link.from} ${link.to}`, link.used]));
  const senders = new Map<string, string[]>(graph.members.map((name) => [name, []]));
  for (const { from, to } of graph.links)
    senders.get(from)?.push(`${to} (${counts.get(`${from} ${to}`) ?? 0})`);
  const longest = graph.members.reduce((most, name) => Math.max(most, name.length), 0);
  const lines = [...senders].flatMap(([name, targets]) => {
    const head = `${name.padEnd(longest)} ${targets.length === 0 ? "·" : "→"}`;
    return wrapWords([head, ...listWords(targets)], width, " ".repeat(longest + 3));
  });
  const minutes = Math.ceil((observed.asOfMs - observed.sinceMs) / 60_000);
  const head = `${count(graph.links.length, "link")} in use by ${count(graph.members.length, "agent")} in the last ${minutes === 1 ? "minute" : count(minutes, "minute")}`;
  const notes = describeGaps(observed).flatMap((words) => wrapWords(words, width, "  "));
  const parts = [wrapWords(head.split(" "), width, "  "), clip(lines, linesMax), notes];
  return `${parts
    .filter((each) => each.length > 0)
    .map((each) => each.join("\n"))
    .join("\n\n")}\n`;
}
