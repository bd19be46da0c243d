// SPDX-License-Identifier: Apache-2.0
// What an agent answers to `$route`, asked as { to: NAME }: how it chooses among those of that name, and what it chose.
import { z } from "zod";

const Candidate = z.looseObject({
  id: z.string(),
  /** What it is judged by, less is better, in `unit`. */
  score: z.number(),
  weight: z.number(),
  inFlight: z.number(),
  /** Of its answers; 0 before the first. */
  latencyMs: z.number(),
  breaker: z.enum(["closed", "open", "half-open"]),
  /** Why it is not chosen from; absent when it is. */
  excluded: z.string().optional(),
});

const Choice = z.looseObject({
  atMs: z.number(),
  id: z.string(),
  score: z.number(),
  among: z.number(),
});

/** How calls to one target are routed by one caller. */
export const RouteView = z.looseObject({
  /** Name of the contract or of the agent that is called. */
  about: z.string(),
  policy: z.string(),
  source: z.enum(["contract", "service", "default"]),
  /** What is wrong with a policy that was said and is not followed. */
  problem: z.string().optional(),
  rule: z.string(),
  unit: z.enum(["ms", "calls", "turns"]),
  panic: z.boolean(),
  candidates: z.array(Candidate),
  /** Nodes of the candidates by id, where they are known. */
  nodes: z.record(z.string(), z.string()),
  /** The last ones, oldest first. */
  choices: z.array(Choice),
  /** Now, on the clock of the choices. */
  asOfMs: z.number(),
});
export type RouteView = z.infer<typeof RouteView>;

/** What the topology says of one whom the caller wants to reach. */
export const LinkView = z.looseObject({
  to: z.string(),
  /** The neighbour that is handed what is for it: itself where there is a link; absent where the topology refuses. */
  via: z.string().optional(),
  /** Whom the caller has links to. */
  linksTo: z.array(z.string()),
  /** Tries of this caller that were refused. */
  refused: z.number(),
});
export type LinkView = z.infer<typeof LinkView>;

/** How one caller routes, by target. Without a topology there are no links. */
export const RouteAnswer = z.looseObject({
  routes: z.array(RouteView),
  links: z.array(LinkView).default([]),
});
export type RouteAnswer = z.infer<typeof RouteAnswer>;
