// SPDX-License-Identifier: Apache-2.0
// The authorities of a fleet as they stand in its store: the newest signs, those before it are believed until what they signed
// has run out. Their keys are sealed with the fleet's key, which who reads the whole store has too.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { z } from "zod";
import { FairleadError } from "#base/errors.ts";
import { controlErrors } from "#control/errors.ts";
import {
  BACKDATE_MS,
  CREDENTIAL_TTL_MS,
  makeAuthority,
  type Authority,
} from "#identity/authority.ts";
import type { Store } from "#store/store.ts";

/** Before all that is kept of identities. */
export const IDENTITY = "identity/";
/** Key of the authorities. */
export const AUTHORITIES = `${IDENTITY}authorities`;

const Kept = z.strictObject({
  /** Newest first. */
  authorities: z
    .array(
      z.strictObject({
        certificate: z.string(),
        /** AES-256-GCM, base64: nonce, text, tag. */
        sealedKey: z.string(),
        chain: z.array(z.string()),
        madeAtMs: z.number(),
        madeBy: z.string(),
      }),
    )
    .min(1),
});

/** An authority, and who made it when. */
export interface KnownAuthority extends Authority {
  readonly madeAtMs: number;
  readonly madeBy: string;
}

/** A new authority is made when so much is left of the one that signs. */
export const AUTHORITY_LEFT_MS = 30 * 24 * 3_600_000;

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const ATTEMPTS = 5;
/** For how long an authority is believed after the next one was made: until all that it signed has run out, on every clock. */
const OVERLAP_MS = CREDENTIAL_TTL_MS + BACKDATE_MS;

function sealingKey(fleetKey: Uint8Array): Buffer {
  const info = "fairlead authority 1";
  return Buffer.from(hkdfSync("sha256", fleetKey, Buffer.alloc(0), info, KEY_BYTES));
}

function seal(fleetKey: Uint8Array, text: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", sealingKey(fleetKey), nonce);
  const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString("base64");
}

function unseal(fleetKey: Uint8Array, sealed: string): string {
  const bytes = Buffer.from(sealed, "base64");
  const nonce = bytes.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv("aes-256-gcm", sealingKey(fleetKey), nonce);
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
  return Buffer.concat([text, decipher.final()]).toString("utf8");
}

/** Reads what stands at `AUTHORITIES`. Throws FL0707 for what cannot be read or opened with the key. */
export function readAuthorities(value: unknown, fleetKey: Uint8Array): readonly KnownAuthority[] {
  try {
    return Kept.parse(value).authorities.map(({ sealedKey, ...rest }) => ({
      ...rest,
      key: unseal(fleetKey, sealedKey),
    }));
  } catch (cause) {
    throw new FairleadError(
      controlErrors["act-failed"],
      "the fleet's authority does not open with the fleet's key",
      { cause },
    );
  }
}

function render(authorities: readonly KnownAuthority[], fleetKey: Uint8Array): unknown {
  return {
    authorities: authorities.map(({ key, ...rest }) => ({
      ...rest,
      sealedKey: seal(fleetKey, key),
    })),
  };
}

export interface AuthorityOptions {
  readonly fleetKey: Uint8Array;
  readonly trustDomain: string;
  readonly nowMs: number;
  readonly by: string;
}

/** The fleet's authorities, newest first; who finds none puts those there that it knew, or makes the first. */
export async function findAuthorities(
  store: Store,
  { fleetKey, trustDomain, nowMs, by }: AuthorityOptions,
  known: readonly KnownAuthority[],
): Promise<readonly KnownAuthority[]> {
  const before = await store.get(AUTHORITIES);
  if (before !== undefined) return readAuthorities(before.value, fleetKey);
  const made =
    known.length > 0
      ? known
      : [{ ...(await makeAuthority({ trustDomain, nowMs })), madeAtMs: nowMs, madeBy: by }];
  await store.transact(
    [{ kind: "put", key: AUTHORITIES, value: render(made, fleetKey) }],
    [{ key: AUTHORITIES, revision: 0 }],
  );
  return readAuthorities((await store.get(AUTHORITIES))?.value, fleetKey);
}

/**
 * Makes the next authority, for which the one before it vouches: who has not heard of it yet believes it all the same. Those
 * that nobody needs any more go. Nothing is done when another one than `only` signs by now. Throws FL0707 while others do the
 * same all the time.
 */
export async function turnAuthority(
  store: Store,
  { fleetKey, trustDomain, nowMs, by }: AuthorityOptions,
  only?: KnownAuthority,
): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const entry = await store.get(AUTHORITIES);
    if (entry === undefined) break;
    const known = readAuthorities(entry.value, fleetKey);
    if (only !== undefined && known[0]?.certificate !== only.certificate) return;
    const made = await makeAuthority({ trustDomain, nowMs, before: known[0] });
    const all = [{ ...made, madeAtMs: nowMs, madeBy: by }, ...listBelieved(known, nowMs)];
    const done = await store.transact(
      [{ kind: "put", key: AUTHORITIES, value: render(all, fleetKey) }],
      [{ key: AUTHORITIES, revision: entry.revision }],
    );
    if (done !== undefined) return;
  }
  throw new FairleadError(controlErrors["act-failed"], "others change the authority all the time");
}

/** Until when an authority is believed after which that one was made; for ever when there is none. */
export function untilWhen(next: KnownAuthority | undefined): number {
  return next === undefined ? Infinity : next.madeAtMs + OVERLAP_MS;
}

/** Those that are believed at a time, newest first. */
export function listBelieved(
  authorities: readonly KnownAuthority[],
  nowMs: number,
): readonly KnownAuthority[] {
  return authorities.filter((_, index) => nowMs < untilWhen(authorities[index - 1]));
}
