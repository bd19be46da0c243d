// SPDX-License-Identifier: Apache-2.0
// Why a call went where it went, for people.
import type { LinkView } from "@fairlead/protocol/route-answer.ts";
import type { RouteExplanation } from "@fairlead/sdk";
import { formatDuration } from "#base/duration.ts";
import type { Style } from "./style.ts";
import { renderTable, type Column } from "./table.ts";

type Row = RouteExplanation["candidates"][number];

const SOURCES: Readonly<Record<RouteExplanation["source"], string>> = {
  contract: "said by the caller's contract",
  service: "said by the service",
  default: "the node's default",
};

const UNITS: Readonly<Record<RouteExplanation["unit"], (score: number) => string>> = {
  ms: (score) => (score === 0 ? "not measured" : `${score.toFixed(score < 100 ? 2 : 0)} ms`),
  calls: (score) => `${Number(score.toFixed(2))} calls`,
  turns: (score) => `${score.toFixed(2)} turns`,
};

const CHOICES_SHOWN = 5;

function renderChoices(route: RouteExplanation): readonly string[] {
  const last = route.choices.slice(-CHOICES_SHOWN).toReversed();
  return last.map(({ atMs, id, score, among }) => {
    const ago = formatDuration(route.asOfMs - atMs);
    return `${ago} ago: ${id}, one of ${among}, at ${UNITS[route.unit](score)}`;
  });
}

/** What the topology says of a call, and whom the caller may talk to. */
export function renderLink(caller: string, { to, via, linksTo, refused }: LinkView): string {
  const tries = refused === 0 ? "" : ` (refused ${refused} ${refused === 1 ? "try" : "tries"})`;
  if (via === to) return `the topology links ${caller} with ${to}${tries}`;
  if (via !== undefined) return `the topology leads from ${caller} to ${to} by ${via}${tries}`;
  const known = linksTo.length === 0 ? "has no links" : `has links to ${linksTo.join(", ")}`;
  return `the topology has no link from ${caller} to ${to}${tries}: ${caller} ${known}`;
}

/** The policy, the choices that were made, every candidate with its score or why it was left out. */
export function renderRoute(route: RouteExplanation, style: Style): readonly string[] {
  const chosen = new Map<string, number>();
  for (const { id } of route.choices) chosen.set(id, (chosen.get(id) ?? 0) + 1);
  const columns: readonly Column<Row>[] = [
    { key: "id", title: "INSTANCE", value: ({ id }) => id },
    { key: "node", title: "NODE", value: ({ id }) => route.nodes[id] ?? "" },
    { key: "score", title: "SCORE", value: ({ score }) => UNITS[route.unit](score) },
    { key: "weight", title: "WEIGHT", value: ({ weight }) => String(Number(weight.toFixed(2))) },
    { key: "inFlight", title: "CALLS", value: ({ inFlight }) => String(inFlight) },
    {
      key: "latency",
      title: "LATENCY",
      value: ({ latencyMs }) => (latencyMs === 0 ? "" : formatDuration(latencyMs)),
    },
    { key: "asked", title: "ASKED", value: ({ id }) => String(chosen.get(id) ?? 0) },
    { key: "excluded", title: "LEFT OUT", value: ({ excluded }) => excluded ?? "" },
  ];
  return [
    `calls to ${route.about}: ${route.policy}, ${SOURCES[route.source]}`,
    `  ${route.rule}`,
    ...(route.problem === undefined ? [] : [`  not followed: ${route.problem}`]),
    ...(route.panic ? ["  too few are well, so all are used"] : []),
    ...renderTable(route.candidates, columns, style).map((line) => `  ${line}`),
    ...renderChoices(route).map((line) => `  ${line}`),
  ];
}
