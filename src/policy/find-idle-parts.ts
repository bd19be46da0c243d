// SPDX-License-Identifier: Apache-2.0
// What of a policy is about nobody: it is no error, since who is meant may come later, and mostly it is a misspelt word.
import { findNearest } from "#base/nearest.ts";
import type { NetworkPolicy, PolicyPeer, PolicyRule, PolicySelector } from "#model/policy.ts";
import { matchLabels } from "./select.ts";
import { labelsOfScope, type PolicyInstance, type PolicyWorld } from "./world.ts";

type InstancePeer = Extract<PolicyPeer, { kind: "instances" }>;

/** `service=dbb`, and a value that somebody has instead. */
function describeSelector(selector: PolicySelector, among: readonly PolicyInstance[]): string {
  const equal = Object.entries(selector.labels).map(([key, value]) => {
    const values = new Set(among.flatMap(({ labels }) => labels[key] ?? []));
    const nearest = values.has(value) ? undefined : findNearest(value, values);
    return `${key}=${value}${nearest === undefined ? "" : ` (did you mean ${nearest}?)`}`;
  });
  const others = selector.requirements.map(({ key, operator, values }) =>
    [key, operator, ...(values.length === 0 ? [] : [values.join("|")])].join(" "),
  );
  return [...equal, ...others].join(", ");
}

function listMeant({ scopes, instances }: InstancePeer, scope: string, world: PolicyWorld) {
  const where = world.instances.filter((one) =>
    scopes === undefined
      ? one.scope === scope
      : matchLabels(scopes, labelsOfScope(world, one.scope)),
  );
  return { where, meant: where.filter((one) => matchLabels(instances, one.labels)) };
}

function* findIdlePeers(
  { peers }: PolicyRule,
  scope: string,
  world: PolicyWorld,
): Generator<string> {
  for (const peer of peers) {
    if (peer.kind !== "instances") continue;
    const { where, meant } = listMeant(peer, scope, world);
    if (meant.length > 0) continue;
    const named = describeSelector(peer.instances, where);
    yield `nobody is ${named === "" ? "in the scopes it names" : named}`;
  }
}

/** Names of ports that nobody has who may be called by them. */
function* findIdlePorts(
  { peers, ports }: PolicyRule,
  called: readonly PolicyInstance[] | undefined,
  scope: string,
  world: PolicyWorld,
): Generator<string> {
  const who =
    called ??
    (peers.some(({ kind }) => kind !== "instances") || peers.length === 0
      ? world.instances
      : peers.flatMap((peer) =>
          peer.kind === "instances" ? listMeant(peer, scope, world).meant : [],
        ));
  const names = new Set(who.flatMap((one) => one.ports.map(({ name }) => name)));
  for (const { port } of ports) {
    if (typeof port !== "string" || names.has(port) || who.length === 0) continue;
    const nearest = findNearest(port, names);
    const hint = nearest === undefined ? "" : ` (did you mean ${nearest}?)`;
    yield `nobody who would be called has a port ${port}${hint}`;
  }
}

/** Sentences about what in it is about nobody now, with the line where there is one: `line 7: nobody is role=fornt (did you mean front?)`. */
export function findIdleParts(policy: NetworkPolicy, world: PolicyWorld): readonly string[] {
  const { scope, instances, ingress = [], egress = [] } = policy;
  const own = world.instances.filter((one) => one.scope === scope);
  const selected = own.filter((one) => matchLabels(instances, one.labels));
  const told =
    selected.length > 0
      ? []
      : [
          own.length === 0
            ? `it selects nobody: nothing runs in ${scope}`
            : `it selects nobody: ${describeSelector(instances, own)}`,
        ];
  const rules = [
    ...ingress.map((rule) => ({ rule, called: selected })),
    ...egress.map((rule) => ({ rule, called: undefined })),
  ];
  return [
    ...told,
    ...rules.flatMap(({ rule, called }) => {
      const line = rule.at.line === undefined ? "" : `line ${rule.at.line}: `;
      const found = [
        ...findIdlePeers(rule, scope, world),
        ...findIdlePorts(rule, called, scope, world),
      ];
      return found.map((text) => line + text);
    }),
  ];
}
