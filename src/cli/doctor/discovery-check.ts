// SPDX-License-Identifier: Apache-2.0
// How hosts find each other here: what the node says of itself, and a datagram that is really sent.
import type { DiscoveryWay } from "@fairlead/protocol/views.ts";
import { formatDuration } from "#base/duration.ts";
import { doctorErrors } from "#cli/errors.ts";
import { formatCount } from "#cli/format.ts";
import { type Check, complain, type Evidence, type Finding, pass, skip } from "./check.ts";
import { probeMulticast } from "./probe-multicast.ts";

/** After so many heartbeats one has to have heard itself. */
const HEARTBEATS = 2;

/** What a probe found: milliseconds, or why nothing came back. */
export type ProbeResult = number | { readonly problem: string };

function describeSeeds(seeds: DiscoveryWay | undefined): string {
  if (seeds?.state !== "on") return "the registry is in use";
  return `registry and seeds are in use, ${formatCount(seeds.peers.length, "node")} heard`;
}

function judgeOpen(
  multicast: DiscoveryWay,
  seeds: DiscoveryWay | undefined,
  probe: ProbeResult,
): Finding {
  const { where, heartbeatMs = 0, selfHeardMs, peers } = multicast;
  const blocked = (text: string, facts: readonly string[]): Finding =>
    complain("warn", doctorErrors["multicast-blocked"], `${text}: ${describeSeeds(seeds)}`, facts);
  const facts: string[] = [];
  if (typeof probe !== "number") facts.push(`own datagram to the group: ${probe.problem}`);
  if (selfHeardMs === undefined) facts.push("the node never heard itself in the group");
  else if (selfHeardMs > HEARTBEATS * heartbeatMs)
    facts.push(`the node last heard itself ${formatDuration(selfHeardMs)} ago`);
  if (facts.length > 0) return blocked("multicast does not pass", [where, ...facts]);
  const near = new Set(peers.map(({ name }) => name));
  const far = (seeds?.peers ?? []).filter(({ name }) => !near.has(name)).map(({ name }) => name);
  if (far.length > 0)
    return blocked(`multicast does not pass to ${far.join(", ")}`, [
      `multicast ${where}: ${formatCount(peers.length, "node")} heard`,
    ]);
  return pass(`multicast ${where}: ${formatCount(peers.length, "node")} heard`);
}

/** What is said of the ways of a node. `probe` is what came of a datagram where multicast is on. */
export function judgeDiscovery(ways: readonly DiscoveryWay[], probe: ProbeResult): Finding {
  const multicast = ways.find(({ kind }) => kind === "multicast");
  const seeds = ways.find(({ kind }) => kind === "seeds");
  if (multicast === undefined) return skip("discovery: the node does not say");
  if (multicast.state === "on") return judgeOpen(multicast, seeds, probe);
  const problem = multicast.problem ?? "";
  if (multicast.state === "off") return pass(`multicast off (${problem}): ${describeSeeds(seeds)}`);
  return complain(
    "warn",
    doctorErrors["multicast-blocked"],
    `multicast is not there: ${describeSeeds(seeds)}`,
    [`${multicast.where}: ${problem}`],
  );
}

async function checkDiscovery({ node }: Evidence): Promise<Finding> {
  if (node === undefined) return skip("discovery: no node to ask");
  const multicast = node.discovery?.find(({ kind }) => kind === "multicast");
  const isOn = multicast?.state === "on" && multicast.address !== undefined;
  const probe = isOn
    ? await probeMulticast(multicast.where.split(":")[0] ?? "", multicast.address ?? "")
    : 0;
  return judgeDiscovery(node.discovery ?? [], probe);
}

/** How nodes find each other. */
export const DISCOVERY_CHECK: Check = { group: "net", name: "discovery", run: checkDiscovery };
