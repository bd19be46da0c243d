// SPDX-License-Identifier: Apache-2.0
import type { NodeFarewell, NodeView } from "@fairlead/protocol/node.ts";
import { formatDuration } from "#base/duration.ts";
import { FairleadError } from "#base/errors.ts";
import { formatLeft, NODE_LEFT_MS, toneOfEnd, warnOfNode } from "#cli/certificate-end.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { formatRtt } from "#cli/format.ts";
import type { ListView } from "#cli/output.ts";
import { readReason } from "#cli/send-action.ts";
import { showOrWatch } from "#cli/watch.ts";

/** Within this two clocks count as the same; a skew is known to half of a round trip only. */
const SAME_CLOCK_MS = 50;
const GIBIBYTE = 2 ** 30;

const TONES = { alive: "good", suspect: "warn", gone: "bad", left: "dim" } as const;

/** Nothing for a node that no other one reaches. */
function formatPlace({ address, port }: NodeView): string {
  return address === undefined ? "" : `${address}:${port ?? ""}`;
}

function formatSkew({ skewMs, rttMs = 0 }: NodeView): string {
  if (skewMs === undefined) return "";
  if (Math.abs(skewMs) <= Math.max(SAME_CLOCK_MS, rttMs)) return "none";
  const span = formatDuration(Math.round(Math.abs(skewMs) / 100) * 100);
  return `${span} ${skewMs > 0 ? "ahead" : "behind"}`;
}

function formatMark({ schedulable, draining, leader }: NodeView): string {
  const said = draining ? ["draining"] : schedulable ? [] : ["cordoned"];
  return [...(leader === true ? ["leads"] : []), ...said].join(", ");
}

function toneOfMark({ schedulable, draining }: NodeView): "warn" | "dim" {
  return draining || !schedulable ? "warn" : "dim";
}

function formatLabels({ labels }: NodeView): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(",");
}

/** Until when others believe it; a node that is not there has no reason to renew. */
function formatCertificate({ certificateEndsMs: endsMs }: NodeView): string {
  return endsMs === undefined ? "" : formatLeft(endsMs) || "ended";
}

function formatReason(node: NodeView): string {
  const hole = node.blackHole === true ? "large packets vanish on the way (doctor net)" : "";
  return [node.reason, hole, warnOfNode(node)].filter((said) => said !== "").join("; ");
}

const LIST: ListView<NodeView> = {
  name: (item) => item.name,
  empty: "there are no nodes",
  columns: [
    {
      key: "name",
      title: "NODE",
      value: (item) => (item.self ? `${item.name} (this)` : item.name),
    },
    { key: "id", title: "ID", value: (item) => item.id, wide: true },
    {
      key: "state",
      title: "STATE",
      value: (item) => item.state,
      tone: (item) => TONES[item.state],
    },
    { key: "mark", title: "MARK", value: formatMark, tone: toneOfMark },
    {
      key: "rtt",
      title: "RTT",
      value: ({ rttMs }) => (rttMs === undefined ? "" : formatRtt(rttMs)),
    },
    { key: "mtu", title: "MTU", value: ({ mtu }) => (mtu === undefined ? "" : String(mtu)) },
    { key: "clock", title: "CLOCK", value: formatSkew },
    { key: "address", title: "ADDRESS", value: formatPlace },
    { key: "cpus", title: "CPUS", value: ({ cpuCount }) => String(cpuCount) },
    {
      key: "memory",
      title: "MEMORY",
      value: ({ memoryBytes }) => `${(memoryBytes / GIBIBYTE).toFixed(1)}GiB`,
    },
    { key: "labels", title: "LABELS", value: formatLabels, wide: true },
    { key: "platform", title: "PLATFORM", value: ({ os, arch }) => `${os}/${arch}`, wide: true },
    { key: "version", title: "VERSION", value: ({ version }) => version, wide: true },
    {
      key: "certificate",
      title: "CERTIFICATE",
      value: formatCertificate,
      tone: ({ certificateEndsMs = Infinity }) => toneOfEnd(certificateEndsMs, NODE_LEFT_MS),
      wide: true,
    },
    { key: "reason", title: "WHY", value: formatReason },
  ],
};

async function remove(context: Context, node: string | undefined): Promise<number> {
  const { api, out } = context;
  if (node === undefined)
    throw new FairleadError(cliErrors["missing-argument"], "say which node", {
      remedy: "fairlead nodes rm NAME; `fairlead nodes` shows the names",
    });
  const path = `nodes/${encodeURIComponent(node)}`;
  const { name } = await api.call<NodeFarewell>("DELETE", path, { query: readReason(context) });
  out.note(`removed ${name} from the fleet; it has to join anew with a token`);
  return EXIT.ok;
}

/** `fairlead nodes` and `fairlead nodes rm NAME` */
export async function run(context: Context): Promise<number> {
  const [verb, node] = context.parsed.arguments;
  if (verb === "rm") return remove(context, node);
  return showOrWatch(context, undefined, async () => {
    await context.out.list(await context.api.list<NodeView>("nodes"), LIST);
  });
}
