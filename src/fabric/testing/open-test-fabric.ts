// SPDX-License-Identifier: Apache-2.0
// The fabric of a node of the tests: its sockets and its messages lie in a directory of the test.
import { join } from "node:path";
import { createRouteBoard } from "@fairlead/fabric/route-board.ts";
import { silentLogger } from "#base/logger.ts";
import type { Fabric } from "#fabric/fabric.ts";
import { openFabric, type FabricOptions, type FabricParts } from "#fabric/open.ts";
import { systemClock } from "#store/testing/system-clock.ts";

/** What a test may want otherwise. */
export type TestFabricOptions = Partial<FabricOptions> &
  Partial<Pick<FabricParts, "clock" | "rights" | "onRefused">>;

/** Opens it on a socket; the owner of the directory removes that. */
export function openTestFabric(
  directory: string,
  { clock = systemClock, rights, onRefused, ...options }: TestFabricOptions = {},
): Promise<Fabric> {
  return openFabric(
    {
      node: { id: "node_1", name: "one" },
      socket: join(directory, "fabric", "fabric.sock"),
      listen: "off",
      route: "ewma",
      logPath: join(directory, "messages", "log.db"),
      secret: "a secret of the tests",
      ...options,
    },
    {
      routes: createRouteBoard(),
      ...(rights === undefined ? {} : { rights }),
      ...(onRefused === undefined ? {} : { onRefused }),
      clock,
      random: Math.random,
      logger: silentLogger,
    },
  );
}
