// SPDX-License-Identifier: Apache-2.0
// What holds inside of an instance, by iptables over the kernel's own old tables: what differs from the new kind is how rules are
// taken and printed. The gate is the same for both.
import { tableRules } from "#guard/testing/table-rules.ts";
import { conformWithoutNft } from "#guard/testing/without-nft.ts";

const TITLES = /^who may|^what a change|^rules that were|^what stands/;
const rules = Object.fromEntries(
  Object.entries(tableRules).filter(([title]) => TITLES.test(title)),
);

conformWithoutNft("legacy", { rules });
