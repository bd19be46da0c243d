// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Why membership says no. */
export const membershipErrors = defineErrors({
  "membership-listen": {
    id: "FL1001",
    code: "failed_precondition",
    cause: "Other nodes of the fleet cannot be heard on that address and port",
    remedy: "see who holds the port with `ss -lnup`, or name another with fleet.listen",
  },
});
