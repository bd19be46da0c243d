// SPDX-License-Identifier: Apache-2.0
// The text that lets a host join a fleet: `flj1_`, then base64url of JSON and its CRC-32, so that one that was mistyped or
// cut off is told at once, before anybody is asked.
import { crc32 } from "node:zlib";
import { z } from "zod";

/** What a host has to know to join. */
export const JoinToken = z.strictObject({
  fleet: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/),
  /** Members of the fleet's etcd, `host:port`. */
  endpoints: z.array(z.string().regex(/^\S+:\d{1,5}$/)).min(1),
  /** PEM of who vouches for them; absent: no TLS. */
  ca: z.string().optional(),
  /** Which token it is; may be shown. */
  id: z.string().min(1).max(63),
  /** What proves that it was given; the fleet keeps only a hash. */
  secret: z.string().min(16).max(128),
});
export type JoinToken = z.infer<typeof JoinToken>;

/** A token, or in a few words why it is none. */
export type ParsedToken =
  | { readonly ok: true; readonly token: JoinToken }
  | { readonly ok: false; readonly problem: string };

const PREFIX = "flj1_";
const SUM_BYTES = 4;
/** A token with a chain of authorities is some thousand characters long. */
const LENGTH_MAX = 65_536;

/** Writes it on one line. */
export function renderJoinToken(token: JoinToken): string {
  const body = Buffer.from(JSON.stringify(token));
  const sum = Buffer.alloc(SUM_BYTES);
  sum.writeUInt32BE(crc32(body));
  return PREFIX + Buffer.concat([body, sum]).toString("base64url");
}

function refuse(problem: string): ParsedToken {
  return { ok: false, problem };
}

/** Reads what a person pasted; never throws. */
export function parseJoinToken(text: string): ParsedToken {
  if (/^flj\d+_/.test(text) && !text.startsWith(PREFIX))
    return refuse("it was made by another version of Fairlead");
  if (!text.startsWith(PREFIX)) return refuse(`a join token begins with ${PREFIX}`);
  const encoded = text.slice(PREFIX.length);
  if (encoded.length > LENGTH_MAX) return refuse("it is too long");
  if (!/^[\w-]+$/.test(encoded)) return refuse("it has a character that no token has");
  const bytes = Buffer.from(encoded, "base64url");
  const body = bytes.subarray(0, -SUM_BYTES);
  // What decodes to the same bytes need not be the same text: the last character has bits to spare.
  if (bytes.length <= SUM_BYTES || bytes.toString("base64url") !== encoded)
    return refuse("it was mistyped, or a part of it is missing");
  if (crc32(body) !== bytes.readUInt32BE(body.length))
    return refuse("it was mistyped, or a part of it is missing");
  return readBody(body.toString("utf8"));
}

function readBody(text: string): ParsedToken {
  try {
    const parsed = JoinToken.safeParse(JSON.parse(text));
    return parsed.success
      ? { ok: true, token: parsed.data }
      : refuse(`it says nothing usable of ${parsed.error.issues[0]?.path.join(".") ?? "a fleet"}`);
  } catch {
    return refuse("what it holds is not JSON");
  }
}
