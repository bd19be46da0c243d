// SPDX-License-Identifier: Apache-2.0
// What can be said to an agent's methods, and what they give back.
import type { FabricError } from "@fairlead/fabric/errors.ts";
import type { Headers } from "@fairlead/fabric/frame.ts";
import type { LinkOptions } from "@fairlead/fabric/link.ts";
import type { AgentRecord, Locality } from "@fairlead/protocol/agent.ts";
import type { Duration } from "./duration.ts";
import type { Log } from "./log.ts";
import type { Message } from "./messages.ts";
import type { StandardSchema } from "./standard-schema.ts";

export interface AgentOptions {
  /** Name by which others call it: a DNS label. Several instances may have one name. */
  readonly name: string;
  readonly kind?: "agent" | "service";
  readonly scope?: string;
  /** Proof for the node that this program may join under this name; containers are given one. */
  readonly ticket?: string;
  readonly version?: string;
  readonly skills?: readonly string[];
  readonly tags?: Readonly<Record<string, string>>;
  readonly locality?: Locality;
  /** How others choose among the instances of this name, as in the label `fairlead.route`. */
  readonly route?: string;
  /** Where its lines go, and those of `ctx.log`; JSON to the standard error by default. */
  readonly log?: Log;
  /** How long to look for a node that is gone before this agent leaves, `node-gone`; for ever by default. */
  readonly giveUpAfter?: Duration;
  /** How its links behave; for measuring. */
  readonly link?: Pick<LinkOptions, "compress" | "batching" | "windowBytes">;
}

export interface ServeOptions {
  /** Calls that run at once; 64 by default. */
  readonly concurrency?: number;
  /** Calls that wait for their turn at most; 1,000 by default, and never more than can be answered in time. */
  readonly waiting?: number;
}

export interface SubscribeOptions<T> {
  /** Members of a group share the messages; without one, each subscriber gets all. */
  readonly group?: string;
  /** Messages that are handled at once; 1 by default, which keeps their order. */
  readonly concurrency?: number;
  readonly schema?: StandardSchema<unknown, T>;
  readonly onError?: (error: FabricError, message: Message) => void;
}

export interface EmitOptions {
  /** Messages with the same key go to the same member of a group, in order. */
  readonly key?: string;
  readonly headers?: Headers;
}

export interface Served {
  /** Takes no new calls; resolves when those that run are done, at the latest after `timeout`. */
  drain(timeout?: Duration): Promise<void>;
}

export interface Subscribed {
  /** Takes no further messages. */
  close(): void;
}

/**
 * How an agent's time in the fabric ended. drained, disposed: this program asked. revoked: its node does not let it join any
 * more. node-gone: the node did not come back within `giveUpAfter`.
 */
export interface AgentEnd {
  readonly reason: "drained" | "disposed" | "revoked" | "node-gone";
  /** What the node said, or why it could not be reached. */
  readonly error?: FabricError;
}

/** An agent that was found. */
export interface Found extends AgentRecord {
  /** 0 in the same zone, 1 in the same region, then the farther the more; 7 where its place or ours is not known. */
  readonly distance: number;
}

export interface PingAnswer {
  /** There and back, milliseconds. */
  readonly tookMs: number;
  /** Id of the instance that answered. */
  readonly by: string;
}

export interface ConsumeOptions<T> extends Omit<SubscribeOptions<T>, "onError"> {
  /** Told of a handler that threw, and, without a message, when the node refuses the subscription after a reconnect. */
  readonly onError?: (error: FabricError, message: Message | undefined) => void;
  /** How long a handler may take before the message is given out again; 30 s by default, 100 ms at least. */
  readonly ackTimeout?: Duration;
  /** Deliveries after which a message goes to the dead letters; 5 by default. */
  readonly attempts?: number;
  /** Where a group begins that the node does not know yet: with what comes, or with what it still keeps. */
  readonly from?: "now" | "start";
}

export interface Consuming {
  /** Resolves once the node has the subscription; rejects when it refuses it, as one without a log does. */
  readonly ready: Promise<void>;
  /** Takes no further message; resolves when those in hand are handled and settled. */
  drain(): Promise<void>;
  /** Resolves when it takes no further message; never rejects. */
  readonly closed: Promise<ConsumingEnd>;
}

/** How a subscription ended: `refused` by the node with an error that asking again would not change. */
export type ConsumingEnd =
  | { readonly reason: "drained" }
  | { readonly reason: "refused"; readonly error: FabricError };
