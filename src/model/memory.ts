// SPDX-License-Identifier: Apache-2.0
// What has to be remembered between passes because the engine does not keep it. One value a service in the store.
import type { ServiceIntent } from "./intent.ts";

/** The ladder's memory of one slot. */
export interface SlotMemory {
  /** Wall-clock times of the acts that count against the budget, oldest first; pruned to the window. */
  readonly acts: readonly number[];
  /** Failures in a row, each within the good-run time of the one before. */
  readonly consecutive: number;
  /** Set while the budget is spent. */
  readonly quarantinedAtMs?: number;
  /** True while the container of the slot is the one that a change of configuration made. */
  readonly changed?: boolean;
}

/**
 * What a person wants to be renewed: the containers that were there when it was asked for. They are named because the
 * engine's clock, which says when a container was made and started, need not agree with the node's.
 */
export interface RenewalRequest {
  /** When it was asked for, by the node's clock, in milliseconds since 1970: to be told, never compared. */
  readonly atMs: number;
  /** Container id to when that container was started last, as its engine reported it; 0 when it never was. */
  readonly startedAtMs: Readonly<Record<string, number>>;
  /** The agent that asked; absent for a person. */
  readonly by?: string;
}

/** A slot that an agent has stopped: it rests until an agent or a person starts it. */
export interface RestRequest {
  readonly atMs: number;
  /** `agent shop/boss`. */
  readonly by: string;
}

/** What is remembered of one service. */
export interface ServiceMemory {
  /** No automatic act before this time; Number.MAX_SAFE_INTEGER until resumed. */
  readonly pausedUntilMs?: number;
  /** The runs that it names are restarted, a few at a time. */
  readonly restartRequested?: RenewalRequest;
  /** The containers that it names are replaced. */
  readonly recreateRequested?: RenewalRequest;
  /** The configuration that did not come up, so that it is not tried again by itself. */
  readonly rolloutFailed?: {
    readonly hash: string;
    readonly atMs: number;
    readonly reason: string;
  };
  /** What ran before the last change, to go back to. */
  readonly previous?: ServiceIntent;
  /** Slot number to who wants it stopped. */
  readonly resting?: Readonly<Record<string, RestRequest>>;
  /** Slot number to memory. */
  readonly slots: Readonly<Record<string, SlotMemory>>;
  /** Container id to the hash it was taken as having when it was adopted. */
  readonly adopted: Readonly<Record<string, string>>;
  /** Container id to the image it counts as having, where it was adopted while its reference meant another one. */
  readonly adoptedImages?: Readonly<Record<string, string>>;
  /** Container id to the hash it counts as having since the last `up` looked what its image's reference means. */
  readonly countsAs?: Readonly<Record<string, string>>;
  /** Volumes that nobody named, of containers that `down -v` removes: they go after them. */
  readonly leavingVolumes?: readonly string[];
  /** Container id to when a person stopped it (matters to unless-stopped only). */
  readonly stoppedByHand: Readonly<Record<string, number>>;
}

/** Of a service that nothing is remembered of. */
export const EMPTY_SERVICE_MEMORY: ServiceMemory = { slots: {}, adopted: {}, stoppedByHand: {} };
/** Of a slot on which nothing was done. */
export const EMPTY_SLOT_MEMORY: SlotMemory = { acts: [], consecutive: 0 };

/** Service name to memory. */
export type ScopeMemory = ReadonlyMap<string, ServiceMemory>;
