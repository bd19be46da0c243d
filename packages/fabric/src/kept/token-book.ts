// SPDX-License-Identifier: Apache-2.0
// Numbers by which a subscriber calls messages that other nodes keep: their own sequences may be the same. They are
// never those of this node's log, and never those that this node gave before it started anew.

/** Sequences of this node's own log are below. */
export const TOKEN_MIN = 2 ** 52;
const EPOCH_MS = Date.UTC(2026, 0, 1);
/** Tokens that a millisecond of the start's time stands for. */
const TOKENS_PER_MS = 1_000;
/** Of messages that were given and never settled, the oldest are forgotten. */
const TOKENS_MAX = 100_000;

/** A message of another node for a group. */
export interface Kept {
  readonly group: string;
  /** Id of the node that keeps it. */
  readonly node: string;
  readonly sequence: number;
}

export interface TokenBook {
  /** The token of a message; the same as long as it is known. */
  issue(kept: Kept): number;
  read(token: number): Kept | undefined;
  forget(token: number): void;
}

/** Makes an empty one; `nowMs` is when this node started, milliseconds since 1970. */
export function createTokenBook(nowMs: number): TokenBook {
  const byToken = new Map<number, Kept>();
  const byKept = new Map<string, number>();
  let next = TOKEN_MIN + Math.max(0, nowMs - EPOCH_MS) * TOKENS_PER_MS;
  const keyOf = ({ group, node, sequence }: Kept): string => `${node} ${sequence} ${group}`;

  function forget(token: number): void {
    const kept = byToken.get(token);
    if (kept === undefined) return;
    byToken.delete(token);
    byKept.delete(keyOf(kept));
  }

  return {
    issue(kept) {
      const known = byKept.get(keyOf(kept));
      if (known !== undefined) return known;
      const token = next++;
      byToken.set(token, kept);
      byKept.set(keyOf(kept), token);
      const [oldest] = byToken.keys();
      if (byToken.size > TOKENS_MAX && oldest !== undefined) forget(oldest);
      return token;
    },
    read: (token) => byToken.get(token),
    forget,
  };
}
