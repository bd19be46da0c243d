// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { dial } from "@fairlead/fabric/grpc/dial.ts";
import { createLogMethods } from "@fairlead/fabric/log-service.ts";
import { openLog } from "@fairlead/fabric/log/open.ts";
import { realClock } from "@fairlead/fabric/log/testing/crash-child.ts";
import { createRouteBoard } from "@fairlead/fabric/route-board.ts";
import { createLinkedParts, linkParts } from "@fairlead/fabric/testing/link-hubs.ts";
import { openHub } from "@fairlead/fabric/testing/open-hub.ts";
import type { Agent } from "./agent.ts";
import { testFabric, type FabricUnderTest } from "./fabric-conformance.ts";
import { testHostile } from "./hostile-conformance.ts";
import { testIdentity } from "./identity-conformance.ts";
import { join } from "./join.ts";
import { testMessages } from "./messages-conformance.ts";
import { testRouting } from "./routing-conformance.ts";
import { createTestFabric } from "./testing.ts";

/** A hub on a unix socket, agents over gRPC. */
async function openOverGrpc(direct: boolean): Promise<FabricUnderTest> {
  const directory = mkdtempSync(joinPath(tmpdir(), "fairlead-fabric-"));
  const log = openLog(
    { kind: "sqlite", path: joinPath(directory, "log.db") },
    { clock: realClock },
  );
  const node = await openHub({
    methods: createLogMethods({
      log,
      nowMs: Date.now,
      convert: (thrown) => FabricError.from(thrown),
    }),
  });
  const agents: Agent[] = [];
  return {
    routes: node.routes,
    dial: (address = node.address) => dial({ address }),
    async join(options) {
      const agent = await join({
        ...options,
        node: node.address,
        ...(direct ? {} : { listen: false as const }),
      });
      agents.push(agent);
      return agent;
    },
    cut: () => node.hub.close(),
    async [Symbol.asyncDispose]() {
      await Promise.all(agents.map((agent) => agent[Symbol.asyncDispose]()));
      await node[Symbol.asyncDispose]();
      await log[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    },
  };
}

/** Two linked nodes; who joins next joins the other one. */
async function openOnTwoNodes(): Promise<FabricUnderTest> {
  const parts = [createLinkedParts("a"), createLinkedParts("b")] as const;
  const routes = createRouteBoard();
  const hubs = await Promise.all(parts.map(({ hub }) => openHub({ ...hub, routes })));
  await linkParts(...parts);
  const agents: Agent[] = [];
  const [first] = hubs;
  return {
    routes,
    dial: (address = first?.address ?? "") => dial({ address }),
    async join(options) {
      const node = hubs[agents.length % hubs.length]?.address ?? "";
      const agent = await join({ ...options, node, listen: false });
      agents.push(agent);
      return agent;
    },
    cut: () => hubs.forEach(({ hub }) => hub.close()),
    async [Symbol.asyncDispose]() {
      await Promise.all(agents.map((agent) => agent[Symbol.asyncDispose]()));
      for (const { nodes } of parts) nodes.close();
      await Promise.all(hubs.map((hub) => hub[Symbol.asyncDispose]()));
    },
  };
}

const FABRICS: Readonly<Record<string, () => Promise<FabricUnderTest>>> = {
  "in memory": () => Promise.resolve(createTestFabric()),
  "between peers over gRPC": () => openOverGrpc(true),
  "relayed by the node over gRPC": () => openOverGrpc(false),
};

for (const [name, open] of Object.entries(FABRICS)) {
  testFabric(name, open);
  testRouting(name, open);
  testHostile(name, open);
  testMessages(name, open);
  testIdentity(name, open);
}

testFabric("on two nodes", openOnTwoNodes);
