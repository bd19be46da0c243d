// SPDX-License-Identifier: Apache-2.0
// The short form: `fairlead.allow.from`, `fairlead.allow.to` and `fairlead.egress` of a service as the policy that they stand for.
import { splitEgressNames } from "#model/egress-names.ts";
import type { SourceRef } from "#model/intent.ts";
import type { NetworkPolicy, PolicyPeer } from "#model/policy.ts";
import { EVERYTHING } from "./read-selector.ts";
import { SCOPE_NAME_LABEL, SERVICE_LABEL } from "./world.ts";

/** A service with its labels, and where they were written. */
export interface LabelledService {
  readonly scope: string;
  readonly service: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Where a label stands: `labels.fairlead.allow.from`. */
  readonly origins: Readonly<Record<string, SourceRef>>;
  readonly at: SourceRef;
}

function select(labels: Readonly<Record<string, string>>) {
  return { labels: { ...labels }, requirements: [] };
}

/** `web`, `*`, `billing/web` or `billing/*`. */
function toPeer(text: string): PolicyPeer {
  const [first = "", second] = text.split("/");
  const service = second ?? first;
  const instances = service === "*" ? EVERYTHING : select({ [SERVICE_LABEL]: service });
  return second === undefined
    ? { kind: "instances", instances }
    : { kind: "instances", scopes: select({ [SCOPE_NAME_LABEL]: first }), instances };
}

function toPeers(value: string): PolicyPeer[] {
  return value
    .trim()
    .split(/\s*,\s*|\s+/)
    .filter((part) => part !== "")
    .map(toPeer);
}

/** The policy of a service's labels; undefined when it has none of the three. */
export function makeLabelPolicy(service: LabelledService): NetworkPolicy | undefined {
  const { labels, origins, at } = service;
  const [from, to] = [labels["fairlead.allow.from"], labels["fairlead.allow.to"]];
  const names = labels["fairlead.egress"];
  const places = ["allow.from", "allow.to", "egress"].map(
    (word) => origins[`labels.fairlead.${word}`],
  );
  if (from === undefined && to === undefined && names === undefined) return undefined;
  const rules = (value: string, word: string) => {
    const peers = toPeers(value);
    // Who allows nobody means nobody; a rule without peers would mean everybody.
    return peers.length === 0 ? [] : [{ peers, ports: [], at: origins[`labels.${word}`] ?? at }];
  };
  const outside = splitEgressNames(names ?? "");
  const named =
    outside.length === 0
      ? []
      : [
          {
            peers: [{ kind: "names" as const, names: [...outside] }],
            ports: [],
            at: places[2] ?? at,
          },
        ];
  return {
    scope: service.scope,
    name: `label.${service.service}`,
    instances: select({ [SERVICE_LABEL]: service.service }),
    ...(from === undefined ? {} : { ingress: rules(from, "fairlead.allow.from") }),
    ...(to === undefined && names === undefined
      ? {}
      : { egress: [...rules(to ?? "", "fairlead.allow.to"), ...named] }),
    at: places.find((place) => place !== undefined) ?? at,
  };
}
