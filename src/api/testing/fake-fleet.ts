// SPDX-License-Identifier: Apache-2.0
import type { FleetOperations } from "#control/fleet-operations.ts";
import { FairleadError, baseErrors } from "#base/errors.ts";

/** A node without a fleet. What is asked for is told to `note`. */
export function createFakeFleet(
  note: (name: string, ...args: readonly unknown[]) => void,
): FleetOperations {
  const refuse = async (name: string, ...args: readonly unknown[]): Promise<never> => {
    note(name, ...args);
    throw new FairleadError(baseErrors["invalid-argument"], "there is no fleet here");
  };
  return {
    createToken: (request, by) => refuse("createToken", request, by),
    listTokens: async () => [],
    revokeToken: (id, by) => refuse("revokeToken", id, by),
  };
}
