// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from "node:timers/promises";
import { FabricError, join, type Agent } from "@fairlead/sdk";

/** Joins, and tries again for as long as the node is away. */
export async function joinAgain(name: string, node: string): Promise<Agent> {
  for (;;) {
    try {
      return await join({ name, scope: "flow", node, listen: false });
    } catch (thrown) {
      if (!FabricError.from(thrown).retryable) throw thrown;
      await sleep(50);
    }
  }
}
