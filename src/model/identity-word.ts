// SPDX-License-Identifier: Apache-2.0
// What `fairlead.identity` says: how the containers of a service get the certificates that say who they are.
import { parseDuration } from "#base/duration.ts";

/** The label of a service. */
export const IDENTITY_LABEL = "fairlead.identity";

/** How containers are given their certificates, and how long each lives. */
export interface IdentityWord {
  /** `socket`: who asks at the node's socket gets one. `files`: it lies in files beside the socket, too. */
  readonly by: "socket" | "files";
  /** It is renewed when half of it is over. */
  readonly ttlMs: number;
}

/** The form of the word, for people. */
export const IDENTITY_FORM =
  "socket or files and, as wanted, ttl=TIME from 1m to 1h, for example files ttl=15m";

const TTL_MS = { min: 60_000, max: 3_600_000 } as const;
/** What containers get that ask at the socket although their service says nothing. */
export const IDENTITY_DEFAULT: IdentityWord = { by: "socket", ttlMs: TTL_MS.max };

function readTtl(text: string): number | undefined {
  const [, time = ""] = /^ttl=(\S+)$/.exec(text) ?? [];
  try {
    const ttlMs = parseDuration(time);
    return ttlMs >= TTL_MS.min && ttlMs <= TTL_MS.max ? ttlMs : undefined;
  } catch {
    return undefined;
  }
}

/** What it says; undefined when the word is not of its form. */
export function readIdentityWord(word: string): IdentityWord | undefined {
  const [by, ttl, ...rest] = word.trim().split(/\s+/);
  if ((by !== "socket" && by !== "files") || rest.length > 0) return undefined;
  const ttlMs = ttl === undefined ? IDENTITY_DEFAULT.ttlMs : readTtl(ttl);
  return ttlMs === undefined ? undefined : { by, ttlMs };
}
