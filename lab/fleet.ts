// SPDX-License-Identifier: Apache-2.0
// A whole fleet on one machine: hosts with real engines, three members of a real etcd on the first three of them, and a
// node on each.
import { join } from "node:path";
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { ScopeView } from "@fairlead/protocol/views.ts";
import { startEtcd, type EtcdCluster } from "./etcd.ts";
import { startHostNode, type HostNode } from "./host-node.ts";
import { startHosts, type LabHost, type LabHosts } from "./hosts.ts";
import { importBusybox } from "./images.ts";
import { findLabDirectory } from "./ledger.ts";
import { IMAGE, until } from "./rig.ts";

const PATIENCE_MS = 60_000;
const MEMBERS_MAX = 3;

/** Hosts, their store and their nodes. Disposing removes it all. */
export interface LabFleet extends AsyncDisposable {
  readonly lab: LabHosts;
  readonly etcd: EtcdCluster;
  /** By host, `h1` first. */
  readonly nodes: readonly HostNode[];
}

export interface LabFleetOptions {
  readonly hosts: number;
  /** Further settings of a host's node, as FAIRLEAD_…; `h1` is 0. */
  readonly settings?: (index: number, host: LabHost) => Readonly<Record<string, string>>;
  /** Whether settings stand in files, as after `fairlead join`: then nodes can leave, join and be uninstalled. */
  readonly haveFiles?: boolean;
  /** Where a node keeps its state; default a directory of its own. */
  readonly stateDir?: (index: number) => string | undefined;
  /** Directory whose sources all hosts run; default these. */
  readonly root?: string;
}

/** How one node sees another. Throws when the node does not answer. */
export async function readState(by: HostNode, name: string): Promise<NodeView | undefined> {
  const { body } = await by.ask<{ items: readonly NodeView[] }>("nodes");
  return body.items.find((item) => item.name === name);
}

/** How a scope stands by what one node knows; undefined for one that it does not know. */
export async function readScope(by: HostNode, scope: string): Promise<ScopeView | undefined> {
  const { status, body } = await by.ask<ScopeView>(`scopes/${scope}`);
  return status === 200 ? body : undefined;
}

/** Resolves once each of the nodes sees each of them alive. */
export async function awaitAlive(nodes: readonly HostNode[], maxMs = PATIENCE_MS): Promise<void> {
  for (const by of nodes)
    await until(`${by.host.name} sees all alive`, maxMs, async () => {
      const { body } = await by.ask<{ items: readonly NodeView[] }>("nodes");
      const alive = body.items.filter(({ state }) => state === "alive").map(({ name }) => name);
      return nodes.every(({ host }) => alive.includes(host.name));
    });
}

/**
 * Resolves once so many nodes have said in the fleet's store what their engines offer: before that nothing is placed there,
 * although the nodes are known to live.
 */
export async function awaitOffers(etcd: EtcdCluster, count: number): Promise<void> {
  await until(`${count} nodes offer what they have`, PATIENCE_MS, async () => {
    return (await etcd.count("/fairlead/fleets/harbour/offers/")) === count;
  });
}

/** Starts it; every node sees every other alive once this resolves. */
export async function startFleet(options: LabFleetOptions): Promise<LabFleet> {
  await using stack = new AsyncDisposableStack();
  const lab = stack.use(await startHosts(options.hosts));
  const hosts = lab.hosts.slice(0, MEMBERS_MAX);
  const members = hosts.length < MEMBERS_MAX ? 1 : MEMBERS_MAX;
  const etcd = stack.use(await startEtcd({ members, hosts }));
  const nodes: HostNode[] = [];
  for (const [index, host] of lab.hosts.entries()) {
    await importBusybox(host, IMAGE);
    const stateDir = options.stateDir?.(index);
    const settings = {
      FAIRLEAD_STORE_ENDPOINTS: etcd.endpoints.join(","),
      FAIRLEAD_FLEET_NAME: "harbour",
      ...options.settings?.(index, host),
    };
    // In the lab's directory, so that it goes with a lab whose owner was killed.
    const directory = join(findLabDirectory(lab.tag), host.name, "node");
    const hasFile = options.haveFiles === true;
    const place = {
      directory,
      hasFile,
      ...(stateDir === undefined ? {} : { stateDir }),
      ...(options.root === undefined ? {} : { root: options.root }),
    };
    nodes.push(stack.use(await startHostNode(host, settings, place)));
  }
  await awaitAlive(nodes);
  await awaitOffers(etcd, nodes.length);
  const owned = stack.move();
  return { lab, etcd, nodes, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
