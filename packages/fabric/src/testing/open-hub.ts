// SPDX-License-Identifier: Apache-2.0
// For tests and benchmarks: a hub as a node has it, and one that is dialled at a socket of its own.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listen, type ListenOptions } from "@fairlead/fabric/grpc/listen.ts";
import { createHub, type Hub, type HubOptions } from "@fairlead/fabric/hub.ts";
import { createRegistry, type Registry } from "@fairlead/fabric/registry.ts";
import { createRouteBoard, type RouteBoard } from "@fairlead/fabric/route-board.ts";

/** A hub with what it was made of. */
export interface HubParts {
  readonly hub: Hub;
  readonly registry: Registry;
  readonly routes: RouteBoard;
}

/** The hub of a node called `n`; a call gets to the first candidate. `parts` replace what a test is about. */
export function createTestHub(parts: Partial<HubOptions> = {}): HubParts {
  const options: HubOptions = {
    registry: createRegistry(),
    routes: createRouteBoard(),
    node: { id: "n", name: "n" },
    nowMs: Date.now,
    keyOf: (scope) => `key of ${scope}`,
    pick: ([first]) => first,
    ...parts,
  };
  return { hub: createHub(options), registry: options.registry, routes: options.routes };
}

/** The same behind a unix socket. */
export interface OpenHub extends HubParts, AsyncDisposable {
  /** What an agent dials. */
  readonly address: string;
  /** Stops to listen; its links end with it. */
  stop(): Promise<void>;
}

/** Opens it; disposing removes the socket. */
export async function openHub(
  parts: Partial<HubOptions> = {},
  methods?: ListenOptions["methods"],
): Promise<OpenHub> {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-hub-"));
  const made = createTestHub(parts);
  const listener = await listen({
    at: { path: join(directory, "fabric.sock") },
    onTransport: (transport) => made.hub.accept(transport),
    ...(methods === undefined ? {} : { methods }),
  });
  const stop = async (): Promise<void> => listener[Symbol.asyncDispose]();
  return {
    ...made,
    address: listener.address,
    stop,
    async [Symbol.asyncDispose]() {
      made.hub.close();
      await stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
