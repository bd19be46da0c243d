// SPDX-License-Identifier: Apache-2.0
import type { JoinRequest } from "@fairlead/protocol/fabric.ts";
import type { AgentOptions } from "./agent-options.ts";
import { ROUTE_TAG } from "./choosing.ts";
import type { DirectSubscription } from "./receiving.ts";

const TTL_MS = 5_000;

/** What is known of an agent beyond its options. */
export type AgentFacts = Pick<
  JoinRequest,
  "addresses" | "contracts" | "load" | "draining" | "healthy" | "key"
> & {
  readonly heard: Iterable<DirectSubscription>;
  readonly backlog: JoinRequest["backlog"];
};

/** What an agent says of itself to its node. */
export function describeAgent(options: AgentOptions, facts: AgentFacts): JoinRequest {
  const {
    kind = "service",
    version = "0.0.0",
    skills = [],
    tags = {},
    locality = {},
    route,
  } = options;
  const { heard, backlog, ...known } = facts;
  return {
    ...known,
    kind,
    version,
    skills: [...skills],
    tags: route === undefined ? { ...tags } : { ...tags, [ROUTE_TAG]: route },
    locality,
    subscriptions: Array.from(heard, ({ pattern, group }) => ({
      pattern,
      durable: false,
      ...(group === "" ? {} : { group }),
    })),
    ttlMs: TTL_MS,
    ...(backlog === undefined ? {} : { backlog }),
  };
}
