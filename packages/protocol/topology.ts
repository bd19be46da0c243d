// SPDX-License-Identifier: Apache-2.0
// Along which links the agents of a scope may talk: what an owner declares, and what the fabric holds them to.
import { z } from "zod";
import { AgentName } from "./agent.ts";

/** Links that a message may travel unless declared otherwise: a loop is cut after that many. */
export const HOPS_MAX_DEFAULT = 10;

/** Which agents of the scope are members. What is left out leaves nobody out; an empty selector means all. */
export const MemberSelector = z.strictObject({
  /** Names, in which `*` stands for any letters: `worker-*`. One of them has to fit. */
  names: z.array(z.string().min(1).max(63)).max(2_000).optional(),
  /** Skills that a member has, all of them. */
  skills: z.array(z.string().min(1).max(63)).max(64).optional(),
  /** Tags that a member carries, all of them. */
  tags: z.record(z.string().max(63), z.string().max(255)).optional(),
});
export type MemberSelector = z.infer<typeof MemberSelector>;

/** A link between two members; the direction counts only where the topology is directed. */
export const TopologyLink = z.strictObject({ from: AgentName, to: AgentName });
export type TopologyLink = z.infer<typeof TopologyLink>;

const shared = {
  members: MemberSelector.prefault({}),
  /** True: a message to a member without a link is passed on along the topology. False: it is refused. */
  relay: z.boolean().default(false),
  /** Links that a message may travel before it is refused. */
  hopsMax: z.number().int().min(1).max(64).default(HOPS_MAX_DEFAULT),
};

/** What an owner declares for a scope. */
export const TopologyDeclaration = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("star"),
    ...shared,
    /** The hub whenever it is there; otherwise the one that joined first. */
    hub: AgentName.optional(),
  }),
  z.strictObject({
    kind: z.literal("ring"),
    ...shared,
    /** True: messages go round one way only. */
    directed: z.boolean().default(false),
  }),
  z.strictObject({
    kind: z.literal("mesh"),
    ...shared,
    /** Links of each member; absent means everybody with everybody. */
    degree: z.number().int().min(2).max(1_000).optional(),
  }),
  z.strictObject({
    kind: z.literal("tree"),
    ...shared,
    /** The root whenever it is there; otherwise the one that joined first. */
    root: AgentName.optional(),
    /** Children that a member may have. */
    fanout: z.number().int().min(1).max(1_000).default(2),
  }),
  z.strictObject({
    kind: z.literal("custom"),
    ...shared,
    links: z.array(TopologyLink).max(100_000),
    directed: z.boolean().default(false),
  }),
]);
export type TopologyDeclaration = z.infer<typeof TopologyDeclaration>;
/** `star`, `ring`, `mesh`, `tree` or `custom`. */
export type TopologyKind = TopologyDeclaration["kind"];
/** The declaration of one kind. */
export type DeclarationOf<K extends TopologyKind> = Extract<TopologyDeclaration, { kind: K }>;

/** The links between members at one time. Plain data: it is stored and sent as JSON. */
export const TopologyGraph = z.strictObject({
  kind: z.enum(["star", "ring", "mesh", "tree", "custom"]),
  directed: z.boolean(),
  /** Sorted by name. */
  members: z.array(AgentName),
  /** Sorted; without direction `from` is the lesser name. */
  links: z.array(TopologyLink),
  /** Hub of a star, root of a tree. */
  hub: AgentName.optional(),
  relay: z.boolean(),
  hopsMax: z.number().int().min(1).max(64),
});
export type TopologyGraph = z.infer<typeof TopologyGraph>;

/** A link on which something was seen. Directions are who asked or sent, answers are not counted. */
export const ObservedLink = TopologyLink.extend({
  /** Calls and streams that were opened, and messages that were emitted. */
  used: z.number(),
  /** Tries that the topology did not allow. */
  refused: z.number(),
  /** Of the last report of it, milliseconds since 1970. */
  lastSeenMs: z.number(),
});
export type ObservedLink = z.infer<typeof ObservedLink>;

/** Who talks to whom in a scope, as agents tell and as the node sees that passes on what cannot go directly. */
export const ObservedLinks = z.strictObject({
  scope: z.string(),
  /** Nothing is known of before: a link that is not seen for some minutes is forgotten, as is all when the node starts. */
  sinceMs: z.number(),
  asOfMs: z.number(),
  /** Sorted by name. */
  links: z.array(ObservedLink).readonly(),
  /** Agents that have joined, sorted. */
  agents: z.array(z.string()).readonly(),
  /** Agents that do not tell whom they talk to: of what they send, only what goes through the node is known. */
  silent: z.array(z.string()).readonly(),
  /** Messages on links that were too many to be told apart. */
  omitted: z.number(),
});
export type ObservedLinks = z.infer<typeof ObservedLinks>;

/** How links in use differ from those declared. Sorted; without direction each link once. */
export const TopologyDrift = z.strictObject({
  /** Declared and in use. */
  used: z.array(ObservedLink).readonly(),
  /** In use, not declared: from before it was, or past it. Links of agents that are no members are not among them. */
  undeclared: z.array(ObservedLink).readonly(),
  /** Declared, and nothing was seen. */
  unused: z.array(TopologyLink).readonly(),
  /** Declared, and nothing was seen, which says nothing: an agent at an end does not tell whom it talks to. */
  unknown: z.array(TopologyLink).readonly(),
  /** Tries that were refused. */
  refused: z.array(ObservedLink).readonly(),
});
export type TopologyDrift = z.infer<typeof TopologyDrift>;

/** A scope's topology as it is now, with what it is like and where it would break. */
export const TopologyView = z.strictObject({
  scope: z.string(),
  declaration: TopologyDeclaration,
  graph: TopologyGraph,
  /** Members that are not back, since the node started or since theirs was lost; they keep their places for a few seconds. */
  awaited: z.array(z.string()).readonly(),
  observed: ObservedLinks,
  drift: TopologyDrift,
  metrics: z.strictObject({
    memberCount: z.number(),
    linkCount: z.number(),
    /** Largest first; more than one: some members cannot talk with others. */
    components: z.array(z.array(z.string()).readonly()).readonly(),
    /** False: there are too many ways to measure them all, and what is absent of the next three is not known. */
    waysMeasured: z.boolean(),
    /** Links of the longest of the shortest ways; absent without members too. */
    diameter: z.number().optional(),
    unreachablePairs: z.number().optional(),
    pairsBeyondHops: z.number().optional(),
    /** Members whose loss would separate others. */
    articulationPoints: z.array(z.string()).readonly(),
    /** Links whose loss would separate members. */
    bridges: z.array(TopologyLink).readonly(),
    degree: z.strictObject({ min: z.number(), max: z.number(), mean: z.number() }),
    degrees: z.record(z.string(), z.number()),
  }),
});
export type TopologyView = z.infer<typeof TopologyView>;
