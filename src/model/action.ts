// SPDX-License-Identifier: Apache-2.0
import type { ActionKind, Rule, Trigger } from "./decision.ts";
import type { NetworkIntent, ServiceIntent, VolumeIntent } from "./intent.ts";

/** One thing to do now, with the whole explanation. Made by brain, carried out by control. */
export interface PlannedAction {
  /** What it is about; at most one action with a key runs at a time: `web/1`, `network/default`. */
  readonly key: string;
  readonly act: ActionKind;
  readonly service?: string;
  readonly slot?: number;
  /** Name of the instance, network, volume or image, as people know it. */
  readonly object: string;
  /** Engine id (container, network) or name (volume) acted upon. */
  readonly target?: string;
  /** The newer container of the same slot, when there is one already. */
  readonly successor?: string;
  /** The configuration to create with. */
  readonly spec?: ServiceIntent;
  readonly network?: NetworkIntent;
  readonly volume?: VolumeIntent;
  /** Volumes without a name that the container leaves behind, and that go after it. */
  readonly leaves?: readonly string[];
  /** `restarted worker-2`: past tense, for a decision that is done. */
  readonly title: string;
  readonly trigger: Trigger;
  readonly rule: Rule;
  readonly inputs: Readonly<Record<string, string | number | boolean>>;
  readonly notDone: readonly { readonly what: string; readonly why: string }[];
  /** Present when the act counts against the ladder's budget: used includes this act. */
  readonly budget?: { readonly used: number; readonly max: number; readonly windowMs: number };
}

/** Something that is not done yet, and what it waits for. */
export interface Waiting {
  readonly service: string;
  readonly slot?: number;
  /** One sentence: `waits for db to be healthy (starting for 3 s)`. */
  readonly reason: string;
  /** starting: it will come by itself. blocked: something else has to change first. failed: it will not come by itself. */
  readonly kind:
    | "starting"
    | "blocked"
    | "failed"
    | "backoff"
    | "quarantined"
    | "paused"
    | "updating";
  /** When to look again, if time alone can change it. */
  readonly untilMs?: number;
}

/** A service that stands on several nodes, as it changes on this one. */
export interface RollingService {
  /** Slots whose turn it would have to be, and the run that would end. */
  readonly asks: readonly { readonly slot: number; readonly run: string }[];
  readonly moving: readonly number[];
  readonly failed?: { readonly hash: string; readonly reason: string };
}

/** The result of one pass. */
export interface Reconciliation {
  readonly actions: readonly PlannedAction[];
  readonly waiting: readonly Waiting[];
  /** The earliest time at which another pass could decide something without any event. */
  readonly wakeAtMs: number | undefined;
  /** By service; absent while turns are not given by others. */
  readonly rolling?: Readonly<Record<string, RollingService>>;
}
