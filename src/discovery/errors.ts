// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Why discovery says no. */
export const discoveryErrors = defineErrors({
  "dns-name-unusable": {
    id: "FL0950",
    code: "invalid_argument",
    cause:
      "A name does not fit into DNS: a part is empty or above 63 bytes, or all of it above 255",
    remedy: "give the service, agent or scope a shorter name without two dots in a row",
  },
  "dns-address-unusable": {
    id: "FL0951",
    code: "invalid_argument",
    cause: "What should be an IP address, a network or a port is none",
    remedy: "write for example 10.0.0.5, fd00::5, 10.0.0.0/8 or 53",
  },
  "dns-listen": {
    id: "FL0952",
    code: "failed_precondition",
    cause: "The DNS server cannot listen where it should",
    remedy: "see who holds the port with `ss -lnup sport = :53`, or give another address or port",
  },
  "dns-upstream-loops": {
    id: "FL0953",
    code: "invalid_argument",
    cause: "An upstream name server is this server itself",
    remedy: "name the resolver of the network as upstream, not an address this node listens on",
  },
  "multicast-unavailable": {
    id: "FL0954",
    code: "unavailable",
    cause: "The multicast group cannot be joined on that interface",
    remedy: "see `ip maddress` and the interface's MULTICAST flag, or use seeds or the registry",
  },
  "multicast-option": {
    id: "FL0955",
    code: "invalid_argument",
    cause: "An option of multicast discovery is outside of what it may be",
    remedy: "correct the option named in the message",
  },
  "multicast-record-too-large": {
    id: "FL0956",
    code: "resource_exhausted",
    cause: "A record is larger than multicast carries",
    remedy: "announce fewer subscriptions, skills or tags, or use the registry",
  },
  "discovery-lagged": {
    id: "FL0957",
    code: "aborted",
    cause: "A watcher read more slowly than agents came and went",
    remedy: "watch again: a watch begins with all agents there are",
  },
  "discovery-key-missing": {
    id: "FL0959",
    code: "failed_precondition",
    cause:
      "Multicast or seeds are asked for, and there is no key of 16 bytes or more by which hosts prove that they belong together",
    remedy:
      "make one (`head -c 32 /dev/urandom | base64`), put it into discovery-key in the state directory of every host, readable by the node only",
  },
  "discovery-closed": {
    id: "FL0958",
    code: "failed_precondition",
    cause: "This discovery has been closed",
    remedy: "open another one",
  },
});
