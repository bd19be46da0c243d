// SPDX-License-Identifier: Apache-2.0
// What runs on which host of the fleet, and what lies between hosts.
import {
  mapHosts,
  type HostLink,
  type HostMap,
  type MappedHost,
} from "@fairlead/protocol/host-map.ts";
import type { ReactNode } from "react";
import { readAgents, readNetworks, readNodes, readPaths, readScopes } from "./client.ts";
import { countOf } from "./format.ts";
import { writeHash } from "./route.ts";
import { TableHead } from "./table-head.tsx";
import { usePolled } from "./use-polled.ts";

const TONES = { alive: "good", suspect: "warn", gone: "bad", left: "off" } as const;

interface Answer {
  readonly map: HostMap;
  readonly missing: readonly string[];
}

async function readMap(): Promise<Answer> {
  const [nodes, scopes, networks, paths, agents] = await Promise.all([
    readNodes(),
    readScopes(),
    readNetworks(),
    readPaths(),
    readAgents(),
  ]);
  const map = mapHosts({
    nodes: nodes.items,
    scopes: scopes.items,
    networks: networks.items,
    paths: paths.items,
    agents: agents.items,
  });
  const answers = [nodes, scopes, networks, paths, agents];
  return { map, missing: [...new Set(answers.flatMap(({ missing }) => missing))] };
}

function Host({ host }: { host: MappedHost }): ReactNode {
  const { name, self, state, reason, leader, draining, schedulable, instances, agents } = host;
  const scopes = Map.groupBy(instances, ({ scope }) => scope);
  const said = [
    ...(self ? ["asked"] : []),
    ...(leader ? ["leads"] : []),
    ...(draining ? ["draining"] : schedulable ? [] : ["cordoned"]),
  ];
  return (
    <section aria-label={`Host ${name}`} className="panel host">
      <h2>
        {name}{" "}
        <span className={TONES[state]}>
          <span className="mark">{state}</span>
        </span>{" "}
        <span className="muted normal">{said.join(", ")}</span>
      </h2>
      {reason === "" ? undefined : <p className="muted">{reason}</p>}
      {[...scopes].map(([scope, all]) => (
        <div key={scope}>
          <h3>{scope}</h3>
          <ul className="placed">
            {all.map(({ name: own, service, slot, state: word, health }) => (
              <li key={own}>
                <a href={writeHash(["services", scope, service])}>
                  {service}-{slot}
                </a>
                {word === "running" && (health === "none" || health === "healthy") ? undefined : (
                  <span className="muted"> {word === "running" ? health : word}</span>
                )}
              </li>
            ))}
          </ul>
        </div>
      ))}
      {agents.length === 0 ? undefined : <p className="small">Agents: {agents.join(", ")}</p>}
      {instances.length + agents.length === 0 ? (
        <p className="muted">Nothing runs here.</p>
      ) : undefined}
    </section>
  );
}

function describeWay({ rttMs, mtu, blackHole }: HostLink): string {
  return [
    ...(rttMs === undefined ? [] : [`${rttMs.toFixed(rttMs < 10 ? 2 : 0)} ms`]),
    ...(mtu === undefined ? [] : [`packets up to ${mtu} bytes`]),
    ...(blackHole ? ["larger ones vanish"] : []),
  ].join(", ");
}

function Links({ links }: { links: readonly HostLink[] }): ReactNode {
  return (
    <section aria-label="Between hosts" className="panel">
      <h2>Between hosts</h2>
      <table>
        <TableHead titles={["Hosts", "Way, as the asked host has measured it", "Networks"]} />
        <tbody>
          {links.map((link) => (
            <tr key={`${link.from} ${link.to}`}>
              <th scope="row">
                {link.from} – {link.to}
              </th>
              <td className={link.blackHole ? "bad" : ""}>
                {describeWay(link) || <span className="muted">not measured from here</span>}
              </td>
              <td className="mono small">
                {link.networks.join(" ") || <span className="muted">none spans them</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** The fleet; nothing is asked before the page is signed in. */
export function HostsView({ isReady }: { isReady: boolean }): ReactNode {
  const { answer, problem = "" } = usePolled(isReady ? "hosts" : undefined, readMap);
  const missing = answer?.missing ?? [];
  const said =
    problem === "" && missing.length > 0 ? `no answer from ${missing.join("; ")}` : problem;
  const hosts = answer?.map.hosts ?? [];
  return (
    <>
      <h1 tabIndex={-1}>Hosts</h1>
      {said === "" ? undefined : (
        <p role="alert" className="warn">
          <span className="mark">{said}</span>
        </p>
      )}
      {answer === undefined ? (
        <p className="muted">Not known yet.</p>
      ) : (
        <p className="muted">
          {countOf(hosts.length, "host")},{" "}
          {countOf(
            hosts.reduce((sum, { instances }) => sum + instances.length, 0),
            "instance",
          )}
        </p>
      )}
      <div className="hosts">
        {hosts.map((host) => (
          <Host key={host.name} host={host} />
        ))}
      </div>
      {hosts.length > 1 ? <Links links={answer?.map.links ?? []} /> : undefined}
    </>
  );
}
