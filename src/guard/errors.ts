// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Why an instance cannot be guarded. */
export const guardErrors = defineErrors({
  "guard-host-network": {
    id: "FL1701",
    code: "failed_precondition",
    cause:
      "An instance that a policy selects lives in the host's own network, where no policy of its own can reach it",
    remedy: "give it a network of its own, or leave it out of the policy's podSelector",
  },
  "guard-no-namespace": {
    id: "FL1702",
    code: "unavailable",
    cause: "The network namespace of an instance cannot be told for certain",
    remedy: "see whether it still runs with `fairlead ps`; it is tried again at the next change",
  },
  "guard-elsewhere": {
    id: "FL1703",
    code: "failed_precondition",
    cause:
      "The engine is on another host, in whose containers' networks this node cannot make rules",
    remedy: "run the node on the engine's own host",
  },
  "guard-impossible": {
    id: "FL1704",
    code: "failed_precondition",
    cause:
      "Packet rules cannot be made on this host, so networks of scopes whose policies are enforced carry nothing",
    remedy:
      "install nftables, on a kernel that has it, or iptables with ebtables, and see `fairlead doctor`; or `fairlead policy mode off --scope SCOPE`, which opens them",
  },
  "guard-unable": {
    id: "FL1705",
    code: "failed_precondition",
    cause:
      "This host has no nftables, and iptables cannot hold all that shall hold for an instance; what it cannot hold does not pass",
    remedy:
      "install nftables and start the node again; or take away what the message names: names in `fairlead.egress`, NET_RAW and NET_ADMIN (`cap_drop`)",
  },
});
