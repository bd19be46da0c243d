// SPDX-License-Identifier: Apache-2.0
// Who is signed in: one-time links, the sessions made from them, and the count of failures.
// Everything is held as SHA-256, so that a look-up tells nothing about how much of a guess was right.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Role } from "@fairlead/protocol/access.ts";
import type { Clock } from "#base/clock.ts";

const LINKS_MAX = 32;
const SESSIONS_MAX = 64;

/** What a token or a sign-in link stands for. */
export interface Bearer {
  readonly role: Role;
  readonly user?: string;
}

/** A signed-in browser. */
export interface Session {
  /** For the decision record: `page session 3`, `ana, page session 4`. */
  readonly actor: string;
  readonly bearer: Bearer;
  readonly expiresAtMs: number;
}

/** Lives in memory only: when the node restarts, browsers sign in again. */
export interface Sessions {
  /** A secret for one sign-in; the oldest of more than 32 is forgotten. */
  createLink(bearer: Bearer): { readonly once: string; readonly expiresAtMs: number };
  /** Makes a session of a link's secret; undefined when it is unknown, spent or too old. */
  exchange(once: string): { readonly cookie: string; readonly session: Session } | undefined;
  /** A session of who has shown a token. */
  begin(bearer: Bearer): { readonly cookie: string; readonly session: Session };
  find(cookie: string): Session | undefined;
  end(cookie: string): void;
}

/** Counts failures in a sliding minute. */
export interface FailureLimit {
  /** True while another try may be looked at. */
  open(): boolean;
  note(): void;
}

function digest(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** Compares without telling by time where two secrets differ, or their lengths. */
export function equalSecrets(left: string, right: string): boolean {
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(left), hash(right));
}

function dropOldest(map: Map<string, unknown>, sizeMax: number): void {
  for (const key of map.keys()) {
    if (map.size <= sizeMax) return;
    map.delete(key);
  }
}

/** Sessions that last `sessionTtlMs`, made by links that last `linkTtlMs`. */
export function createSessions(
  limits: { readonly linkTtlMs: number; readonly sessionTtlMs: number },
  clock: Clock,
): Sessions {
  const links = new Map<string, { bearer: Bearer; untilMs: number }>();
  const sessions = new Map<string, { session: Session; untilMs: number }>();
  let count = 0;

  function begin(bearer: Bearer): { cookie: string; session: Session } {
    const cookie = randomBytes(32).toString("base64url");
    count++;
    const name = `page session ${count}`;
    const session: Session = {
      actor: bearer.user === undefined ? name : `${bearer.user}, ${name}`,
      bearer,
      expiresAtMs: clock.nowMs() + limits.sessionTtlMs,
    };
    const untilMs = clock.monotonicMs() + limits.sessionTtlMs;
    sessions.set(digest(cookie), { session, untilMs });
    dropOldest(sessions, SESSIONS_MAX);
    return { cookie, session };
  }

  return {
    begin,
    createLink(bearer) {
      const once = randomBytes(24).toString("base64url");
      links.set(digest(once), { bearer, untilMs: clock.monotonicMs() + limits.linkTtlMs });
      dropOldest(links, LINKS_MAX);
      return { once, expiresAtMs: clock.nowMs() + limits.linkTtlMs };
    },
    exchange(once) {
      const key = digest(once);
      const link = links.get(key);
      links.delete(key);
      if (link === undefined || link.untilMs <= clock.monotonicMs()) return undefined;
      return begin(link.bearer);
    },
    find(cookie) {
      const key = digest(cookie);
      const found = sessions.get(key);
      if (found === undefined) return undefined;
      if (found.untilMs > clock.monotonicMs()) return found.session;
      sessions.delete(key);
      return undefined;
    },
    end(cookie) {
      sessions.delete(digest(cookie));
    },
  };
}

/** A limit of `countMax` failures a minute. */
export function createFailureLimit(countMax: number, clock: Clock): FailureLimit {
  const times: number[] = [];
  function forgetOld(): void {
    const before = clock.monotonicMs() - 60_000;
    while ((times[0] ?? Number.POSITIVE_INFINITY) <= before) times.shift();
  }
  return {
    open() {
      forgetOld();
      return times.length < countMax;
    },
    note() {
      forgetOld();
      if (times.length < countMax) times.push(clock.monotonicMs());
    },
  };
}
