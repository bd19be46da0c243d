// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Why the kernel's packet rules cannot be read or changed. */
export const netfilterErrors = defineErrors({
  "netfilter-tools": {
    id: "FL1301",
    code: "failed_precondition",
    cause:
      "A program that makes packet rules (`nft`, or those of iptables), or `nsenter`, for another network namespace, is missing",
    remedy: "install nftables and util-linux",
  },
  "netfilter-rights": {
    id: "FL1302",
    code: "permission_denied",
    cause: "The node may not read or change packet rules",
    remedy: "run the node as root, or with CAP_NET_ADMIN and CAP_SYS_ADMIN",
  },
  "netfilter-refused": {
    id: "FL1303",
    code: "unavailable",
    cause: "`nft`, `iptables-restore` or the kernel refused packet rules; none of them took effect",
    remedy:
      "see its words and the line in the message, and what stands with `nft list ruleset` or `iptables-save`",
  },
  "netfilter-namespace": {
    id: "FL1304",
    code: "not_found",
    cause: "The network namespace is gone, mostly because its container ended",
    remedy: "nothing: rules end with their namespace",
  },
  "ip-tools": {
    id: "FL1305",
    code: "failed_precondition",
    cause: "The programs `ip` and `bridge` are missing, or may not change this host's network",
    remedy: "install iproute2, and run the node as root or with CAP_NET_ADMIN",
  },
  "ip-refused": {
    id: "FL1306",
    code: "unavailable",
    cause: "`ip` or `bridge` refused what it was asked about a network device",
    remedy: "see its words in the message, and the devices with `ip -d link show`",
  },
});
