// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Why nodes do not come to an understanding. */
export const peeringErrors = defineErrors({
  "peering-listen": {
    id: "FL1201",
    code: "failed_precondition",
    cause: "Other nodes of the fleet cannot connect to that address and port",
    remedy: "see who holds the port with `ss -lntp`, or name another with fleet.listen",
  },
  "peer-unreachable": {
    id: "FL1202",
    code: "unavailable",
    cause: "Another node does not answer, or the connection to it was cut",
    remedy: "let TCP to the port of fleet.listen pass between the hosts; see `fairlead nodes`",
  },
  "peer-untrusted": {
    id: "FL1203",
    code: "unauthenticated",
    cause: "One of the two shows no certificate of the fleet, or is another node than was meant",
    remedy:
      "see `fairlead identity ls` for the certificates that are believed, and the clocks in `fairlead nodes`",
  },
  "peer-refused": {
    id: "FL1204",
    code: "failed_precondition",
    cause: "The other node cannot do what it was asked for",
    remedy: "read its words in the message",
  },
  "peer-garbled": {
    id: "FL1205",
    code: "data_loss",
    cause: "What came of another node is not what it says that it sent",
    remedy: "see the log of that node, and its memory and disk",
  },
});
