// SPDX-License-Identifier: Apache-2.0
// What the registry knows, as what DNS says.
import { isIP } from "node:net";
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import type { ZoneMember, ZoneService } from "./zone.ts";

/** The port on which an agent's peers reach it: SRV `_fairlead._tcp.<name>.<scope>`. */
const PORT_NAME = "fairlead";

/** `10.0.0.5:7000` or `[fd00::5]:7000`; undefined where the host is a name or the port is none. */
function parseAddress(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3]);
  return isIP(host) === 0 || host.includes("%") || port > 65_535 ? undefined : { host, port };
}

function toMember(record: AgentRecord): ZoneMember {
  const places = record.addresses.flatMap((text) => parseAddress(text) ?? []);
  const ports = [...new Set(places.map(({ port }) => port))];
  return {
    // An id has what a label may have, but for case, which DNS does not mind, and what is too much for one.
    label: record.id
      .toLowerCase()
      .replace(/[^a-z0-9_-]/g, "-")
      .slice(0, 63),
    addresses: [...new Set(places.map(({ host }) => host))],
    ports: ports.map((port) => ({ name: PORT_NAME, port, protocol: "tcp" })),
  };
}

/**
 * One service for each name of each scope, with those of its agents that are healthy and take new work. Where all are
 * ill or leaving the name stays, without an address.
 */
export function listZoneServices(records: readonly AgentRecord[]): readonly ZoneService[] {
  const groups = Map.groupBy(records, ({ scope, name }) => `${scope}/${name}`);
  return [...groups.values()].flatMap((group): ZoneService[] => {
    const [first] = group;
    if (first === undefined) return [];
    const members = group.filter(({ healthy, draining }) => healthy && !draining).map(toMember);
    return [{ scope: first.scope, name: first.name, members }];
  });
}
