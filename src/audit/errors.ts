// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Why the audit log says no. */
export const auditErrors = defineErrors({
  "audit-unwritable": {
    id: "FL1601",
    code: "resource_exhausted",
    cause: "What cannot be put into the audit log is not done: there is no space, or no access",
    remedy: "free space on the disk of the state directory; healing goes on meanwhile",
  },
  "audit-key": {
    id: "FL1602",
    code: "failed_precondition",
    cause: "The key that signs the audit log's heads cannot be read",
    remedy: "put audit-key.pem back into the state directory; without it old heads prove nothing",
  },
});
