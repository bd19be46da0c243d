// SPDX-License-Identifier: Apache-2.0
import type { NodeFit, PlacementView } from "@fairlead/protocol/placement.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { findScope } from "#cli/find-scope.ts";
import { makePrintable } from "#cli/printable.ts";
import type { Style } from "#cli/style.ts";
import { renderTable, type Column } from "#cli/table.ts";

/** Of a large fleet a person reads the first; `-o json` has all. */
const NODES_SHOWN = 40;

const COLUMNS: readonly Column<NodeFit>[] = [
  { key: "node", title: "NODE", value: (item) => item.name },
  { key: "instances", title: "INSTANCES", value: (item) => String(item.instances) },
  { key: "reserved", title: "RESERVED", value: (item) => `${Math.round(item.reserved * 100)} %` },
  {
    key: "takes",
    title: "ONE MORE",
    value: (item) => (item.takes ? "yes" : `no: ${item.reason}`),
    tone: (item) => (item.takes ? "good" : "warn"),
  },
];

function renderPlacement(view: PlacementView, style: Style): string[] {
  const { scope, service, summary, asks, nodes, notes, missing } = view;
  const sentence = missing > 0 ? style.paint(summary, "bad") : summary;
  const left = nodes.length - NODES_SHOWN;
  return [
    `${makePrintable(service)} (${makePrintable(scope)})  ${sentence}`,
    `  asks  ${makePrintable(asks.join("; "))}`,
    ...(nodes.length > 0 ? renderTable(nodes.slice(0, NODES_SHOWN), COLUMNS, style) : []),
    ...(left > 0 ? [`and ${left} more nodes: -o json`] : []),
    ...notes.map((note) => style.paint(note, "dim")),
  ];
}

/** `fairlead placement explain SERVICE`: 1 when an instance has no node. */
export async function run(context: Context): Promise<number> {
  const { api, out, parsed } = context;
  const [, service = ""] = parsed.arguments;
  const scope = findScope(context);
  const view = await api.call<PlacementView>("GET", "placement", { query: { service, scope } });
  await out.document(view, {
    kind: "PlacementView",
    name: (item) => item.service,
    text: renderPlacement,
  });
  return view.missing > 0 ? EXIT.no : EXIT.ok;
}
