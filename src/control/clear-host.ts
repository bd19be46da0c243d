// SPDX-License-Identifier: Apache-2.0
// Takes out of this host's kernel what the node has made there: devices and packet rules, which stay when it ends. For a
// host that is to be as it was before.
import type { HostCleared } from "@fairlead/protocol/node.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { DecisionLog } from "./decision-log.ts";
import { controlErrors } from "./errors.ts";
import type { AskedBy } from "./topologies.ts";

export interface HostClearingOptions {
  /** Name of the fleet to which the node belongs; undefined for a node by itself. */
  readonly fleet: string | undefined;
  /** Scopes that the node manages. */
  readonly scopes: () => readonly string[];
  /** Those that have made something; each removes it, and names what it has removed. */
  readonly makers: readonly { clear(): Promise<readonly string[]> }[];
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  readonly clock: Clock;
}

export interface HostClearing {
  /** Nothing of it is left then. Throws FL0745 `host-in-use`, and what the kernel refuses. */
  clear(by: AskedBy): Promise<HostCleared>;
}

/** Removes what a maker has made; where there are no programs for it, or no rights, it has made nothing. */
export async function clearMade(
  work: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  try {
    return await work();
  } catch (thrown) {
    const error = FairleadError.from(thrown);
    if (error.code === "failed_precondition" || error.code === "permission_denied") return [];
    throw error;
  }
}

/** Opens it; nothing is done before it is asked. */
export function createHostClearing(options: HostClearingOptions): HostClearing {
  const { fleet, makers, decisions, clock } = options;

  function refuseInUse(): void {
    const scopes = options.scopes();
    if (fleet === undefined && scopes.length === 0) return;
    throw new FairleadError(controlErrors["host-in-use"], "what the node has made is needed", {
      facts: {
        ...(fleet === undefined ? {} : { fleet }),
        ...(scopes.length === 0 ? {} : { scopes: scopes.join(", ") }),
      },
    });
  }

  return {
    async clear(by) {
      refuseInUse();
      const trigger = {
        kind: "person",
        detail: `asked by ${by.actor}`,
        atMs: clock.nowMs(),
      } as const;
      const action = {
        key: "host",
        act: "network.leave",
        object: "host",
        title: "removed what this node has made in the kernel",
        trigger,
        rule: { text: "a host is left as it was found" },
        inputs: {},
        notDone: [],
      } as const;
      const decision = await decisions.begin(action, { scope: "", ...by });
      const removed: string[] = [];
      try {
        for (const maker of makers) removed.push(...(await clearMade(() => maker.clear())));
      } catch (thrown) {
        const result = FairleadError.from(thrown).message;
        await decisions.finish(decision, { outcome: "failed", result });
        throw thrown;
      }
      const result = removed.length === 0 ? "nothing was there" : removed.join(", ");
      await decisions.finish(decision, { outcome: "done", result });
      return { removed };
    },
  };
}
