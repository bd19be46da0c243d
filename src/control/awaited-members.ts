// SPDX-License-Identifier: Apache-2.0
// Members of topologies that are away and may come back in a moment: their node has started anew, or another one was lost.
// They keep their places for that long, so that a node that starts anew tears no ring apart.
import type { Clock } from "#base/clock.ts";
import type { Member } from "#topology/member.ts";

interface Awaited {
  readonly member: Member;
  /** Name of the node with which it went; undefined: it has not joined since this node started. */
  readonly node: string | undefined;
  /** On the monotonic clock. */
  readonly untilMs: number;
}

export interface AwaitedMembers {
  list(scope: string): readonly Member[];
  /** Waits for one from now on; for ever when the time is infinite, until `begin`. */
  add(scope: string, member: Member, node?: string): void;
  /** It is there. */
  note(scope: string, name: string): void;
  /** Nobody of the scope is waited for. */
  forget(scope: string): void;
  /** A node will not come back; returns the scopes whose members went with it. */
  giveUp(node: string): readonly string[];
  /** Begins the time of those from before the start, and tells each scope whose members' time is over until the signal aborts. */
  run(signal: AbortSignal, onOver: (scope: string) => void): Promise<void>;
}

/** Those of `kept` are waited for from `run` on, each for `waitMs`. */
export function createAwaitedMembers(
  kept: ReadonlyMap<string, readonly Member[]>,
  { clock, waitMs }: { readonly clock: Clock; readonly waitMs: number },
): AwaitedMembers {
  const scopes = new Map<string, Map<string, Awaited>>();
  let bell = Promise.withResolvers<void>();

  function put(scope: string, one: Awaited): void {
    const known = scopes.get(scope) ?? new Map<string, Awaited>();
    scopes.set(scope, known.set(one.member.name, one));
  }

  /** Takes out those who are meant; the scopes that had some. */
  function takeOut(isMeant: (one: Awaited) => boolean): readonly string[] {
    const found = new Set<string>();
    for (const [scope, known] of scopes) {
      for (const [name, one] of known) if (isMeant(one) && known.delete(name)) found.add(scope);
      if (known.size === 0) scopes.delete(scope);
    }
    return [...found];
  }

  for (const [scope, members] of kept)
    for (const member of members)
      put(scope, { member, node: undefined, untilMs: Number.POSITIVE_INFINITY });

  return {
    list: (scope) => [...(scopes.get(scope)?.values() ?? [])].map(({ member }) => member),
    add(scope, member, node) {
      put(scope, { member, node, untilMs: clock.monotonicMs() + waitMs });
      bell.resolve();
    },
    note: (scope, name) => void scopes.get(scope)?.delete(name),
    forget: (scope) => void scopes.delete(scope),
    giveUp: (node) => takeOut((one) => one.node === node),
    async run(signal, onOver) {
      const startUntilMs = clock.monotonicMs() + waitMs;
      for (const [scope, known] of scopes)
        for (const one of known.values())
          if (one.node === undefined) put(scope, { ...one, untilMs: startUntilMs });
      const stop = (): void => bell.resolve();
      signal.addEventListener("abort", stop, { once: true });
      while (!signal.aborted) {
        const nowMs = clock.monotonicMs();
        for (const scope of takeOut(({ untilMs }) => untilMs <= nowMs)) onOver(scope);
        const all = [...scopes.values()].flatMap((known) => [...known.values()]);
        bell = Promise.withResolvers();
        if (all.length === 0) {
          await bell.promise;
          continue;
        }
        const nextMs = Math.min(...all.map(({ untilMs }) => untilMs));
        await clock.sleep(nextMs - nowMs, signal).catch(() => undefined);
      }
    },
  };
}
