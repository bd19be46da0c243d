// SPDX-License-Identifier: Apache-2.0
// Where nothing can be guarded, and nothing is pretended.
import { FairleadError } from "#base/errors.ts";
import { guardErrors } from "#guard/errors.ts";
import type { Guard } from "#guard/guard.ts";

/** A guard that refuses, since the engine's containers are on another host. */
export function createAbsentGuard(endpoint: string): Guard {
  const elsewhere = "the engine's containers are on another host";
  const refuse = (): Promise<never> =>
    Promise.reject(
      new FairleadError(guardErrors["guard-elsewhere"], "no policy is enforced by this node", {
        facts: { engine: endpoint },
      }),
    );
  return {
    kind: "absent",
    tellsApart: false,
    protect: refuse,
    admit: refuse,
    inspect: refuse,
    probe: refuse,
    gate: ({ bridges }) =>
      bridges.length === 0
        ? Promise.resolve({
            protection: "unchanged",
            past: new Map(),
            withheld: elsewhere,
            refused: new Map(),
          })
        : refuse(),
    release: () => Promise.resolve(false),
  };
}
