// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Why the kernel's packet rules cannot be read or changed. */
export const netfilterErrors = defineErrors({
  "netfilter-tools": {
    id: "FL1301",
    code: "failed_precondition",
    cause: "The program `nft` (or `nsenter`, for another network namespace) is missing",
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
    cause: "`nft` or the kernel refused packet rules; none of them took effect",
    remedy: "see its words and the line in the message, and what stands with `nft list ruleset`",
  },
  "netfilter-namespace": {
    id: "FL1304",
    code: "not_found",
    cause: "The network namespace is gone, mostly because its container ended",
    remedy: "nothing: rules end with their namespace",
  },
});
