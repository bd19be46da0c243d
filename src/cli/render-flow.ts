// SPDX-License-Identifier: Apache-2.0
// Conversations as people read them.
import type { FlowEnd, FlowView } from "@fairlead/protocol/flows.ts";
import { formatTime } from "./format.ts";
import type { ListView } from "./output.ts";
import { makePrintable } from "./printable.ts";
import type { Style, Tone } from "./style.ts";
import type { Column } from "./table.ts";

const TONES: Readonly<Record<FlowView["verdict"], Tone>> = {
  allowed: "good",
  "would-drop": "warn",
  dropped: "bad",
};

function nameEnd({ instance, name, address }: FlowEnd): string {
  return instance ?? (name === undefined ? address : `${name} (${address})`);
}

function nameTarget({ to, port, protocol }: FlowView): string {
  const name = nameEnd(to);
  const isBare = to.instance === undefined && to.name === undefined && name.includes(":");
  const host = isBare ? `[${name}]` : name;
  return port === 0 ? `${host} ${protocol}` : `${host}:${port}/${protocol}`;
}

function nameRule({ policy, at }: FlowView): string {
  if (policy === undefined) return "";
  if (at === undefined) return policy;
  return `${policy}  ${at.file}${at.line === undefined ? "" : `:${at.line}`}`;
}

/** The list of flows. */
export const FLOW_LIST: ListView<FlowView> = {
  name: (flow) => `${nameEnd(flow.from)} ${nameTarget(flow)}`,
  empty:
    "nothing was seen; a scope with policies is looked at, and one in mode watch: fairlead policy mode watch SCOPE",
  columns: [
    { key: "last", title: "LAST", value: ({ lastAtMs }) => formatTime(lastAtMs, Date.now()) },
    { key: "from", title: "FROM", value: ({ from }) => nameEnd(from) },
    { key: "to", title: "TO", value: nameTarget },
    {
      key: "verdict",
      title: "VERDICT",
      value: ({ verdict }) => verdict,
      tone: ({ verdict }) => TONES[verdict],
    },
    { key: "count", title: "COUNT", value: ({ count }) => String(count) },
    { key: "by", title: "BY", value: nameRule },
    { key: "side", title: "SIDE", value: ({ direction }) => direction, wide: true },
    {
      key: "first",
      title: "FIRST",
      value: ({ firstAtMs }) => formatTime(firstAtMs, Date.now()),
      wide: true,
    },
  ],
};

/** The same, with the nodes that saw them where they are of several. */
export function describeFlows(flows: readonly FlowView[]): ListView<FlowView> {
  if (flows.every(({ node }) => node === undefined)) return FLOW_LIST;
  const [last, ...rest] = FLOW_LIST.columns;
  const node: Column<FlowView> = { key: "node", title: "NODE", value: (flow) => flow.node ?? "" };
  return { ...FLOW_LIST, columns: [...(last === undefined ? [] : [last]), node, ...rest] };
}

/** One flow on one line, as they come. */
export function renderFlow(flow: FlowView, style: Style, nowMs: number): string {
  const who = makePrintable(`${nameEnd(flow.from)} -> ${nameTarget(flow)}`);
  const verdict = style.paint(flow.verdict, TONES[flow.verdict]);
  const times = flow.count === 1 ? "" : `  ${flow.count} times`;
  const rule = makePrintable(nameRule(flow));
  const node = flow.node === undefined ? "" : `${makePrintable(flow.node)}  `;
  return `${formatTime(flow.lastAtMs, nowMs)}  ${node}${who}  ${verdict}${times}${rule === "" ? "" : `  ${rule}`}`;
}
