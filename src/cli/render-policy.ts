// SPDX-License-Identifier: Apache-2.0
// A policy as sentences.
import type {
  PolicyPeer,
  PolicyPort,
  PolicyRule,
  PolicySelector,
  PolicyView,
} from "@fairlead/protocol/policy.ts";
import { makePrintable } from "./printable.ts";
import type { Style } from "./style.ts";

const SCOPE_NAME_LABEL = "kubernetes.io/metadata.name";

function renderSelector({ labels, requirements }: PolicySelector): string {
  const equal = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  const others = requirements.map(({ key, operator, values }) => {
    switch (operator) {
      case "In":
        return `${key} in (${values.join(", ")})`;
      case "NotIn":
        return `${key} not in (${values.join(", ")})`;
      case "Exists":
        return `with ${key}`;
      case "DoesNotExist":
        return `without ${key}`;
      default:
        return operator satisfies never;
    }
  });
  return [...equal, ...others].join(", ");
}

function renderPeer(peer: PolicyPeer, scope: string): string {
  if (peer.kind === "block") {
    const except = peer.except.length === 0 ? "" : ` except ${peer.except.join(", ")}`;
    return `${peer.block}${except}`;
  }
  if (peer.kind === "names") return `the names ${peer.names.join(", ")}`;
  const who = renderSelector(peer.instances);
  const named = peer.scopes?.labels[SCOPE_NAME_LABEL];
  const where =
    peer.scopes === undefined
      ? `in ${scope}`
      : named !== undefined
        ? `in ${named}`
        : renderSelector(peer.scopes) === ""
          ? "in every scope"
          : `in scopes ${renderSelector(peer.scopes)}`;
  return `${who === "" ? "everybody" : who} ${where}`;
}

function renderPort({ protocol, port, endPort }: PolicyPort): string {
  const numbers = port === undefined ? "" : `/${port}${endPort === undefined ? "" : `-${endPort}`}`;
  return `${protocol.toLowerCase()}${numbers}`;
}

function renderRule(rule: PolicyRule, scope: string, word: "from" | "to"): string {
  const peers = rule.peers.map((peer) => renderPeer(peer, scope)).join("; or ");
  const ports = rule.ports.map(renderPort).join(", ");
  const line = rule.at.line === undefined ? "" : `   line ${rule.at.line}`;
  return `    ${word} ${peers === "" ? "anywhere" : peers}${ports === "" ? "" : ` on ${ports}`}${line}`;
}

/** The policy in words, each rule with its line. */
export function renderPolicy(
  { policy, mode, selects, unenforced, partly, idle }: PolicyView,
  style: Style,
): string[] {
  const { scope, name, at } = policy;
  const place = at.line === undefined ? at.file : `${at.file}:${at.line}`;
  const who = renderSelector(policy.instances);
  const sides = [
    ["ingress", "comes in", "from"],
    ["egress", "goes out", "to"],
  ] as const;
  return [
    `${scope}/${name}   ${mode}   ${place}`,
    `  selects  ${who === "" ? "everybody" : who}: ${selects.join(" ") || "nobody here"}`,
    ...(unenforced.length === 0
      ? []
      : [
          style.paint(
            `  not enforced: ${unenforced.join(" ")} in the host's own network (FL1701)`,
            "bad",
          ),
        ]),
    ...(partly.length === 0
      ? []
      : [
          style.paint(
            `  in part: ${partly.join(" ")} on a network without a bridge, which programs with NET_RAW or NET_ADMIN get around (cap_drop)`,
            "warn",
          ),
        ]),
    ...sides.flatMap(([direction, verb, word]) => {
      const rules = policy[direction];
      if (rules === undefined) return [];
      if (rules.length === 0) return [style.paint(`  nothing ${verb}`, "warn")];
      return [`  what ${verb}`, ...rules.map((rule) => renderRule(rule, scope, word))];
    }),
    ...(idle ?? []).map((text) => style.paint(`  about nobody now: ${text}`, "warn")),
  ].map(makePrintable);
}
