// SPDX-License-Identifier: Apache-2.0
// Hosts of a lab as one fleet: an etcd on the first, and on each a node, and a way to its engine past that node.
import assert from "node:assert/strict";
import type { Engine } from "#engine/engine.ts";
import { openEngine } from "#engine/open.ts";
import { startEtcd } from "#lab/etcd.ts";
import { awaitOffers } from "#lab/fleet.ts";
import { startHostNode, type HostNode } from "#lab/host-node.ts";
import type { LabHost, LabHosts } from "#lab/hosts.ts";
import { importBusybox } from "#lab/images.ts";
import { IMAGE } from "#lab/rig.ts";
import { createSystemClock } from "#node/system-clock.ts";

/** A host with its node and its engine, which has `busybox:lab`. */
export interface HostPlace {
  readonly node: HostNode;
  readonly engine: Engine;
}

/** Starts them, with further settings of a host's node (FAIRLEAD_…); all of them can be given services once this resolves. `stack` ends them. */
export async function openHostPlaces(
  { hosts }: LabHosts,
  stack: AsyncDisposableStack,
  settings: (host: LabHost) => Readonly<Record<string, string>> = () => ({}),
): Promise<readonly HostPlace[]> {
  const [first] = hosts;
  assert.ok(first !== undefined);
  const etcd = stack.use(await startEtcd({ hosts: [first] }));
  const clock = createSystemClock();
  const started = await Promise.all(
    hosts.map(async (host) => {
      const [node] = await Promise.all([
        startHostNode(host, {
          FAIRLEAD_STORE_ENDPOINTS: etcd.endpoints.join(","),
          FAIRLEAD_FLEET_NAME: "harbour",
          ...settings(host),
        }),
        importBusybox(host, IMAGE),
      ]);
      const options = { endpoint: host.endpoint, env: {} };
      return { node, engine: openEngine(options, { clock, random: Math.random }) };
    }),
  );
  for (const { node, engine } of started) {
    stack.use(engine);
    stack.use(node);
  }
  await awaitOffers(etcd, started.length);
  return started;
}
