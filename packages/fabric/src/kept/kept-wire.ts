// SPDX-License-Identifier: Apache-2.0
// What nodes say to each other about messages that one of them keeps and a subscriber of the other is to have.
import type { Headers } from "@fairlead/fabric/frame.ts";
import { HEADER } from "@fairlead/fabric/log-headers.ts";
import type { KeptMessage } from "@fairlead/fabric/log/message-log.ts";
import { Settlement } from "@fairlead/protocol/fabric.ts";
import { z } from "zod";

const sequence = z.number().int();

/** Opens a handle on a group: as `GroupOptions` of a log. */
export const KeptRequest = z.object({
  name: z.string().max(512).optional(),
  pattern: z.string().max(1_024),
  from: z.enum(["now", "start"]),
  ackTimeoutMs: z.number().int().min(1),
  attemptsMax: z.number().int().min(1),
  inFlightMax: z.number().int().min(1),
});
export type KeptRequest = z.infer<typeof KeptRequest>;

/** What the subscriber's node says: how many messages it has hands for, what it still handles, what became of one. */
export const KeptAsk = z.union([
  z.strictObject({ want: z.number().int().min(1).max(10_000) }),
  z.strictObject({ claim: z.array(sequence).max(10_000) }),
  Settlement,
]);
export type KeptAsk = z.infer<typeof KeptAsk>;

/**
 * What the keeping node says beside messages: the handle is open; a message is ready, ask for it; those that were wanted have
 * come, so many; of what was claimed, what it keeps. Readiness is said again once less was given than was wanted.
 */
export const KeptSay = z.union([
  z.strictObject({ open: z.literal(true) }),
  z.strictObject({ ready: z.literal(true) }),
  z.strictObject({ given: z.number().int() }),
  z.strictObject({ kept: z.array(sequence) }),
]);

/** Headers with which a message goes from node to node. */
export function describeKept(message: KeptMessage): Headers {
  return {
    ...message.headers,
    [HEADER.subject]: message.subject,
    [HEADER.sequence]: String(message.sequence),
    [HEADER.attempt]: String(message.attempt),
    [HEADER.publishedAtMs]: String(message.publishedAtMs),
    ...(message.key === undefined ? {} : { [HEADER.key]: message.key }),
  };
}

/** The message of such headers. */
export function readKept(payload: Uint8Array, headers: Headers): KeptMessage {
  const {
    [HEADER.subject]: subject = "",
    [HEADER.sequence]: at,
    [HEADER.attempt]: attempt,
    [HEADER.publishedAtMs]: publishedAtMs,
    [HEADER.key]: key,
    ...rest
  } = headers;
  return {
    sequence: Number(at),
    subject,
    payload,
    key,
    headers: rest,
    attempt: Number(attempt),
    publishedAtMs: Number(publishedAtMs),
  };
}
