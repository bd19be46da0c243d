// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Kinds of error of the fabric room. */
export const fabricErrors = defineErrors({
  "fabric-socket-taken": {
    id: "FL0980",
    code: "failed_precondition",
    cause: "The fabric cannot listen at that address",
    remedy: "end the other node, or name another address with fabric.socket or fabric.listen",
  },
});
