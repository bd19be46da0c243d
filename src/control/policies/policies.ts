// SPDX-License-Identifier: Apache-2.0
// What others may ask of the loop that enforces network policy.
import type { AskedBy } from "#control/topologies.ts";
import type { EffectRequest, EffectView, FlowQuery, FlowView } from "#model/flows.ts";
import type { CanAnswer, CanRequest, PolicyRequest, PolicyView } from "#model/policy.ts";

/** Who was seen talking to whom, where instances have rules or their scope is watched. */
export interface Flows {
  /** The last seen first; read from the kernel now, or less than a second ago. */
  list(query: FlowQuery): Promise<readonly FlowView[]>;
  /** What is new, about once a second, each with the count of what is new; until the signal. */
  follow(query: FlowQuery, signal: AbortSignal): AsyncIterable<FlowView>;
  /** Conversations that were begun and are in no list, as there were too many. */
  readonly lost: number;
}

export interface Policies {
  /** All that are known, by scope and name, those that follow from labels too. */
  list(): readonly PolicyView[];
  /** Why what is listed may be old, or is not what is enforced. */
  readonly problem: string | undefined;
  /**
   * Keeps policies, in place of those with the same scope and name: all of them or none. They are enforced on this node when
   * it resolves, or `problem` says why not. Throws FL0751 `policy-store`.
   */
  apply(request: PolicyRequest, by: AskedBy): Promise<readonly PolicyView[]>;
  /** Throws FL0750 `no-policy`, FL0751 `policy-store`. */
  remove(scope: string, name: string, by: AskedBy): Promise<void>;
  /** Whether one may talk to the other, by three proofs. Throws FL0701 `no-such-object`, FL0702 `ambiguous-name`. */
  can(request: CanRequest): Promise<CanAnswer>;
  readonly flows: Flows;
  /** What policies would change for what was seen. Nothing is dropped for it. Throws what a text of policies is refused for. */
  effect(request: EffectRequest): Promise<EffectView>;
}
