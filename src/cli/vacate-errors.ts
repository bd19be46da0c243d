// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Why a host does not leave its fleet. */
export const vacateErrors = defineErrors({
  "last-node": {
    id: "FL0631",
    code: "failed_precondition",
    cause: "No other node of the fleet lives: what runs here would have nowhere to go",
    remedy: "`fairlead uninstall --force` ends it with this host; see `fairlead nodes`",
  },
  "not-vacated": {
    id: "FL0632",
    code: "failed_precondition",
    cause:
      "What runs on this host has not all come up on others, so the host is still in its fleet",
    remedy:
      "`fairlead placement explain SERVICE` says why; `--force` goes all the same, `fairlead uncordon NODE` stays",
  },
  "fleet-elsewhere": {
    id: "FL0633",
    code: "failed_precondition",
    cause:
      "The node belongs to a fleet by a setting that no `fairlead join` of this host has written",
    remedy: "take fleet.name away where it is set, `fairlead node stop`, then try again",
  },
});
