// SPDX-License-Identifier: Apache-2.0
// How agents learn of each other: what every way of discovery promises.
import type { AgentChange, AgentRecord } from "@fairlead/protocol/agent.ts";

/** A record that is announced. Disposing takes it back: watchers see it gone with the reason `left`. */
export interface Announcement extends AsyncDisposable {
  readonly id: string;
}

/**
 * Where agents announce themselves and learn of others. Safe for concurrent use.
 *
 * - Announcing is idempotent: a record with an id that is known takes the place of the former one, and is told only when
 *   it differs.
 * - What is announced here is listed and watched here at once, and elsewhere as soon as the way allows.
 * - A record lives until its announcement or the discovery is disposed of, or until its announcer is silent for too long.
 */
export interface Discovery extends AsyncDisposable {
  /** `multicast`, `memory`, … */
  readonly kind: string;
  /**
   * Publishes a record and keeps it alive. Throws `discovery-closed`; the way may refuse a record that it cannot carry.
   */
  announce(record: AgentRecord): Promise<Announcement>;
  /**
   * Begins with an `up` for each agent there is, then each change once and in order. Ends when the signal aborts or the
   * discovery is disposed of. Throws `discovery-lagged` to who reads so slowly that changes were lost.
   */
  watch(signal: AbortSignal): AsyncIterable<AgentChange>;
  /** The agents there are now, in no order. Never a partial change. */
  list(): readonly AgentRecord[];
}
