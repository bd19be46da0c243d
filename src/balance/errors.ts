// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Why a service address does not reach where it should. */
export const balanceErrors = defineErrors({
  "balance-stranger": {
    id: "FL1311",
    code: "failed_precondition",
    cause: "The process that the engine names is not of that container as this node sees processes",
    remedy:
      "run the node on the engine's host, in its process namespace (`--pid host` in a container)",
  },
});
