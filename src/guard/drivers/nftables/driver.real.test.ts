// SPDX-License-Identifier: Apache-2.0
import { guardConformance } from "#guard/guard-conformance.ts";
import { createNetfilter } from "#netfilter/netfilter.ts";
import { createNftablesGuard } from "./driver.ts";

guardConformance("nftables", {
  open: (netns) => createNftablesGuard({ netfilter: createNetfilter(), netns }),
  spoil: ({ inside }) => void inside("nft", "flush", "ruleset"),
  list: (run) =>
    run("nft", "list", "tables")
      .split("\n")
      .filter((line) => line.includes("fairlead")),
});
