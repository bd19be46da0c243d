// SPDX-License-Identifier: Apache-2.0
// The fleet's hosts as text: what runs on which, and what lies between them.
import type { HostLink, HostMap, MappedHost, MappedInstance } from "@fairlead/protocol/host-map.ts";
import { formatCount, formatRtt } from "./format.ts";
import { toneOfInstance, type Style } from "./style.ts";

/** More lines of links than anybody reads; the rest is counted. */
const LINKS_MAX = 60;

const STATE_TONES = { alive: "good", suspect: "warn", gone: "bad", left: "dim" } as const;

function describeInstance({ service, slot, state, health }: MappedInstance, style: Style): string {
  const word =
    state !== "running" ? state : health === "starting" || health === "unhealthy" ? health : "";
  const text = `${service}-${slot}${word === "" ? "" : ` (${word})`}`;
  return style.paint(text, word === "" ? "plain" : toneOfInstance(state, health));
}

function describeHost(host: MappedHost, width: number, style: Style): string {
  const { name, self, state, reason, leader, draining, schedulable } = host;
  const words = [
    style.paint(state, STATE_TONES[state]),
    ...(leader ? ["leads"] : []),
    ...(draining
      ? [style.paint("draining", "warn")]
      : schedulable
        ? []
        : [style.paint("cordoned", "warn")]),
    ...(reason === "" ? [] : [style.paint(reason, "dim")]),
  ];
  return `${style.paint(`${name}${self ? " (this)" : ""}`.padEnd(width), "bold")}  ${words.join(", ")}`;
}

function drawHost(host: MappedHost, width: number, style: Style): readonly string[] {
  const scopes = Map.groupBy(host.instances, ({ scope }) => scope);
  const longest = Math.max(0, ...[...scopes.keys()].map((scope) => scope.length));
  const lines = [...scopes].map(
    ([scope, all]) =>
      `  ${style.paint(scope.padEnd(longest), "dim")}  ${all.map((one) => describeInstance(one, style)).join(" ")}`,
  );
  const agents = host.agents.length === 0 ? [] : [`  agents: ${host.agents.join(" ")}`];
  const empty = lines.length + agents.length === 0 ? ["  nothing runs here"] : [];
  return [describeHost(host, width, style), ...lines, ...agents, ...empty];
}

function describeLink(
  { from, to, rttMs, mtu, blackHole, networks }: HostLink,
  style: Style,
): string {
  const words = [
    ...(rttMs === undefined ? [] : [formatRtt(rttMs)]),
    ...(mtu === undefined ? [] : [`packets up to ${mtu} bytes`]),
    ...(blackHole ? [style.paint("larger ones vanish", "bad")] : []),
    ...(networks.length === 0 ? [] : [networks.join(" ")]),
  ];
  return `  ${from} ${style.plain("─")} ${to}  ${words.length === 0 ? "no network spans them" : words.join(", ")}`;
}

/** The map, a line each: hosts, then the ways between them. */
export function renderHosts({ hosts, links }: HostMap, style: Style): readonly string[] {
  const width = Math.max(...hosts.map(({ name, self }) => name.length + (self ? 7 : 0)));
  const count = hosts.reduce((sum, { instances }) => sum + instances.length, 0);
  const more = links.length - LINKS_MAX;
  return [
    `${formatCount(hosts.length, "host")}, ${formatCount(count, "instance")}`,
    "",
    ...hosts.flatMap((host) => drawHost(host, width, style)),
    ...(links.length === 0 ? [] : ["", "between hosts"]),
    ...links.slice(0, LINKS_MAX).map((link) => describeLink(link, style)),
    ...(more > 0 ? [`  … and ${more} more pairs`] : []),
  ];
}
