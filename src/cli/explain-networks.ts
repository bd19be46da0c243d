// SPDX-License-Identifier: Apache-2.0
// `fairlead explain network [SERVICE]`: which network a service has, which suits it, why, and what it costs.
import type { NetworkAdvice } from "@fairlead/protocol/network.ts";
import type { Context } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { findScope } from "./find-scope.ts";
import type { ListView } from "./output.ts";

function describeKind({ has, encrypted }: NetworkAdvice): string {
  return encrypted ? `${has}, encrypted` : has;
}

function describeCost({ cost }: NetworkAdvice): string {
  if (cost === undefined) return "";
  const share = `${Math.round(cost.throughput * 100)} %`;
  return cost.addedUs === 0 ? share : `${share} +${cost.addedUs}us`;
}

const LIST: ListView<NetworkAdvice> = {
  name: ({ scope, service }) => `${scope}/${service}`,
  empty: "no service is wanted here (fairlead up)",
  columns: [
    { key: "scope", title: "SCOPE", value: ({ scope }) => scope, wide: true, tellsApart: true },
    { key: "service", title: "SERVICE", value: ({ service }) => service },
    { key: "network", title: "NETWORK", value: ({ network }) => network ?? "" },
    { key: "has", title: "HAS", value: describeKind },
    {
      key: "suits",
      title: "SUITS",
      value: ({ suits }) => suits,
      tone: ({ has, suits }) => (has === suits ? "good" : "warn"),
    },
    { key: "nodes", title: "NODES", value: ({ nodes }) => nodes.join(" ") },
    { key: "mtu", title: "MTU", value: ({ mtu }) => (mtu === undefined ? "" : String(mtu)) },
    { key: "cost", title: "SPEED", value: describeCost },
    { key: "why", title: "WHY", value: ({ why }) => why },
  ],
};

/** Exits 0, whatever is advised. Throws FL0701 `no-such-object`. */
export async function explainNetworks(
  context: Context,
  service: string | undefined,
): Promise<number> {
  const { api, out } = context;
  const scope = findScope(context);
  const query = { scope, ...(service === undefined ? {} : { service }) };
  const answer = await api.list<NetworkAdvice>("network-advice", query);
  await out.list(answer, LIST);
  if (out.forPeople)
    for (const note of new Set(answer.items.flatMap(({ notes }) => notes))) out.note(note);
  return EXIT.ok;
}
