// SPDX-License-Identifier: Apache-2.0
// Who may ask for which names, and the addresses that they may call because of it. The node's DNS asks here before it asks
// anybody, and again before it answers: an address is let through before who asked for it knows it.
import type { Clock } from "#base/clock.ts";
import type { Guard, Place } from "#guard/guard.ts";
import { matchEgressNames, mayHaveAddress } from "#model/egress-names.ts";

/** An address that is good for a shorter time is called all the same, right after it was told. */
const GOOD_SECONDS_MIN = 5;
const GOOD_SECONDS_MAX = 86_400;
/** An address that is good for about as long already is not written again. */
const SLACK_SECONDS = 2;
/** As many as the kernel's set takes. */
const PINS_MAX = 4_096;

/** An instance that may call names. */
export interface Asker extends Place {
  readonly addresses: readonly string[];
  readonly names: readonly string[];
  /** With `watch` all names are answered. */
  readonly mode: "watch" | "enforce";
}

export interface NameDesk {
  /** Says who may ask what, before their rules are in; what others found stays theirs. */
  seat(askers: readonly Asker[]): void;
  /** Forgets what an instance found: its rules were made anew without it. */
  forget(id: string): void;
  /** The name by which an instance found an address in the last while. */
  findName(id: string, address: string): string | undefined;
  judge(source: string, name: string): "free" | "named" | "refused";
  admit(
    source: string,
    name: string,
    addresses: readonly { readonly address: string; readonly ttlSeconds: number }[],
  ): Promise<boolean>;
}

export interface NameDeskOptions {
  readonly guard: Pick<Guard, "admit">;
  readonly clock: Clock;
  /** Whether an address is of this host or of an instance, which no name of the world outside has. */
  readonly isOwn: (address: string) => boolean;
}

interface Found {
  readonly name: string;
  readonly untilMs: number;
}

/** A desk at which nobody has asked. */
export function createNameDesk({ guard, clock, isOwn }: NameDeskOptions): NameDesk {
  let bySource = new Map<string, Asker>();
  let byId = new Map<string, Asker>();
  /** What was found, by id of the instance and address. */
  const found = new Map<string, Map<string, Found>>();

  function note(id: string, address: string, one: Found): void {
    const own = found.get(id) ?? new Map<string, Found>();
    found.set(id, own);
    own.delete(address);
    own.set(address, one);
    for (const oldest of own.keys()) {
      if (own.size <= PINS_MAX) break;
      own.delete(oldest);
    }
  }

  return {
    seat(askers) {
      const before = byId;
      byId = new Map(askers.map((one) => [one.id, one]));
      bySource = new Map(
        askers.flatMap((one) => one.addresses.map((address) => [address, one] as const)),
      );
      for (const id of found.keys()) {
        const [old, now] = [before.get(id), byId.get(id)];
        const isSame = old?.pid === now?.pid && old?.names.join(" ") === now?.names.join(" ");
        if (now === undefined || !isSame) found.delete(id);
      }
    },
    forget: (id) => void found.delete(id),
    findName: (id, address) => found.get(id)?.get(address)?.name,
    judge(source, name) {
      const asker = bySource.get(source);
      if (asker === undefined) return "free";
      if (matchEgressNames(asker.names, name).length > 0) return "named";
      return asker.mode === "watch" ? "free" : "refused";
    },
    async admit(source, name, addresses) {
      const asker = bySource.get(source);
      if (asker === undefined) return false;
      const isWatched = asker.mode === "watch";
      const matched = matchEgressNames(asker.names, name);
      const isDeclared = matched.some(({ blocks }) => blocks.length > 0);
      const isGood = addresses.every(
        ({ address }) => mayHaveAddress(matched, address) && (isDeclared || !isOwn(address)),
      );
      if (!isGood) return isWatched;
      const nowMs = clock.nowMs();
      const pins = addresses.map(({ address, ttlSeconds }) => ({
        address,
        seconds: Math.min(GOOD_SECONDS_MAX, Math.max(GOOD_SECONDS_MIN, ttlSeconds)) + SLACK_SECONDS,
      }));
      const own = found.get(asker.id);
      const news = pins.filter(({ address, seconds }) => {
        const leftMs = (own?.get(address)?.untilMs ?? 0) - nowMs;
        return leftMs < (seconds - SLACK_SECONDS) * 1_000;
      });
      try {
        if (news.length > 0) await guard.admit({ id: asker.id, pid: asker.pid }, news);
      } catch {
        // Without room, or before its rules are in: who asked is told nothing, and asks again.
        return isWatched;
      }
      for (const { address, seconds } of news)
        note(asker.id, address, { name, untilMs: nowMs + seconds * 1_000 });
      return true;
    },
  };
}
