// SPDX-License-Identifier: Apache-2.0
// Tokens with which hosts join a fleet.
import { z } from "zod";
import { Reason } from "./requests.ts";

/** Shortest and longest life of a join token, milliseconds. */
export const TOKEN_TTL_MS = { min: 60_000, max: 86_400_000, default: 3_600_000 } as const;
/** For how many hosts one may be. */
export const TOKEN_USES = { max: 1_000, default: 1 } as const;

/** `POST /v1/tokens` */
export const TokenRequest = z.strictObject({
  ttlMs: z.number().int().min(TOKEN_TTL_MS.min).max(TOKEN_TTL_MS.max).optional(),
  /** How many hosts may join with it. */
  uses: z.number().int().min(1).max(TOKEN_USES.max).optional(),
  /** Where other hosts reach the fleet's etcd; absent: where this node does. */
  endpoints: z
    .array(z.string().regex(/^\S+:\d{1,5}$/))
    .min(1)
    .max(64)
    .optional(),
  reason: Reason.optional(),
});
export type TokenRequest = z.infer<typeof TokenRequest>;

/** `valid`: a host may join with it. The others say why none may. */
export const TokenState = z.enum(["valid", "used", "expired", "revoked"]);
export type TokenState = z.infer<typeof TokenState>;

/** A join token as the fleet knows it; its secret is shown once, when it is made. */
export const TokenView = z.strictObject({
  id: z.string(),
  state: TokenState,
  usesLeft: z.number().int(),
  usesMax: z.number().int(),
  /** By the clocks of the nodes that made it; whether it is over is the store's word. */
  createdAtMs: z.number(),
  expiresAtMs: z.number(),
  /** `uid 0 by unix socket on node-a` */
  createdBy: z.string(),
  /** Names of the nodes that joined with it. */
  nodes: z.array(z.string()),
});
export type TokenView = z.infer<typeof TokenView>;

/** Answer of `POST /v1/tokens`. */
export const CreatedToken = z.strictObject({
  fleet: z.string(),
  endpoints: z.array(z.string()),
  view: TokenView,
  /** The whole token, `flj1_…`. */
  text: z.string(),
});
export type CreatedToken = z.infer<typeof CreatedToken>;
