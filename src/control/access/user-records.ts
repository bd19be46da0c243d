// SPDX-License-Identifier: Apache-2.0
// Users as they stand in the node's store: of a token only its SHA-256. A token is 256 bits of randomness, which nobody finds
// by trying, so that a slow hash would add nothing.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { Role, type UserTokenView, type UserView } from "@fairlead/protocol/access.ts";
import { z } from "zod";

const TokenRecord = z.strictObject({
  id: z.string(),
  /** SHA-256 of id and secret, base64url. */
  hash: z.string(),
  createdAtMs: z.number(),
  expiresAtMs: z.number(),
  createdBy: z.string(),
});

/** A user with the tokens that were not taken back. */
export const UserRecord = z.strictObject({
  name: z.string(),
  role: Role,
  createdAtMs: z.number(),
  createdBy: z.string(),
  tokens: z.array(TokenRecord),
});
export type UserRecord = z.infer<typeof UserRecord>;
export type UserToken = UserRecord["tokens"][number];

const ID_BYTES = 6;
const SECRET_BYTES = 32;
const TOKEN = /^flu_([\da-f]{12})_([\w-]{43})$/;

function digest(id: string, secret: string): Buffer {
  return createHash("sha256").update(`fairlead user ${id} ${secret}`).digest();
}

/** A new token: its text, and what is kept of it. */
export function makeToken(about: Omit<UserToken, "id" | "hash">): {
  readonly text: string;
  readonly kept: UserToken;
} {
  const id = randomBytes(ID_BYTES).toString("hex");
  const secret = randomBytes(SECRET_BYTES).toString("base64url");
  const kept = { ...about, id, hash: digest(id, secret).toString("base64url") };
  return { text: `flu_${id}_${secret}`, kept };
}

/** The id that a token names; undefined for what is no user's token. */
export function readTokenId(text: string): string | undefined {
  return TOKEN.exec(text)?.[1];
}

/** Whether this is the text of that token. Takes as long for every wrong secret. */
export function isToken(text: string, { id, hash }: UserToken): boolean {
  const [, named = "", secret = ""] = TOKEN.exec(text) ?? [];
  const wanted = Buffer.from(hash, "base64url");
  const shown = digest(named, secret);
  return named === id && wanted.length === shown.length && timingSafeEqual(wanted, shown);
}

/** A token as people see one: without its hash. */
export function viewToken(token: UserToken, nowMs: number): UserTokenView {
  const { id, createdAtMs, expiresAtMs, createdBy } = token;
  return { id, createdAtMs, expiresAtMs, createdBy, expired: expiresAtMs <= nowMs };
}

/** A user as people see one. */
export function viewUser(record: UserRecord, nowMs: number): UserView {
  const { name, role, createdAtMs, createdBy } = record;
  const tokens = record.tokens.map((token) => viewToken(token, nowMs));
  return { name, role, createdAtMs, createdBy, tokens };
}
