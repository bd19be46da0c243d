// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Kinds of error of the fabric room. */
export const fabricErrors = defineErrors({
  "log-full": {
    id: "FL0970",
    code: "resource_exhausted",
    cause: "The message log or its disk has no space for another message",
    remedy:
      "let consumers acknowledge what waits, or free space; publishing then resumes by itself",
  },
  "log-corrupt": {
    id: "FL0971",
    code: "data_loss",
    cause: "The message log does not match its checksums",
    remedy: "check the disk, and move the file of the log aside",
  },
  "log-locked": {
    id: "FL0973",
    code: "failed_precondition",
    cause: "Another process has the message log open",
    remedy: "end the other node, or give this one a state directory of its own",
  },
  "fabric-certificate": {
    id: "FL0981",
    code: "invalid_argument",
    cause:
      "The certificates of the fabric cannot be read, or key and certificate do not belong together",
    remedy:
      "correct fabric.caFile, fabric.certFile and fabric.keyFile; `fairlead config show` prints them",
  },
  "fabric-socket-taken": {
    id: "FL0980",
    code: "failed_precondition",
    cause: "The fabric cannot listen at that address",
    remedy: "end the other node, or name another address with fabric.socket or fabric.listen",
  },
});
