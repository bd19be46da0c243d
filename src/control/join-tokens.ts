// SPDX-License-Identifier: Apache-2.0
// Join tokens as they stand in the fleet's store: never the secret, only its hash. How long one is good is the store's word
// alone: beside its record stands an entry on a lease of that length, so that no host's clock matters. (etcd begins leases
// anew when its leader changes: then a token lives longer, at most by its whole time.)
import { createHash, timingSafeEqual } from "node:crypto";
import type { TokenState, TokenView } from "@fairlead/protocol/tokens.ts";
import { z } from "zod";
import { FairleadError } from "#base/errors.ts";
import type { Entry, Snapshot, Store, StoreCondition, StoreOperation } from "#store/store.ts";
import { controlErrors } from "./errors.ts";

const TOKENS = "tokens/";
const LIVE = "tokens-live/";
/** How long one that is over is still listed. */
const KEPT_MS = 7 * 24 * 3_600_000;
const ATTEMPTS = 5;

const TokenRecord = z.strictObject({
  id: z.string(),
  /** SHA-256 of id and secret, base64url. */
  hash: z.string(),
  createdAtMs: z.number(),
  ttlMs: z.number(),
  createdBy: z.string(),
  usesMax: z.number().int(),
  /** Names of the nodes that joined with it. */
  nodes: z.array(z.string()),
  revokedBy: z.string().optional(),
});
type TokenRecord = z.infer<typeof TokenRecord>;

/** What a joining host shows. */
export interface TokenProof {
  readonly id: string;
  readonly secret: string;
}

/** What a new token is to be. */
export interface NewToken extends TokenProof {
  readonly ttlMs: number;
  readonly uses: number;
  readonly createdBy: string;
  readonly nowMs: number;
}

function digest({ id, secret }: TokenProof): Buffer {
  return createHash("sha256").update(`fairlead join ${id} ${secret}`).digest();
}

function readToken(entry: Entry | undefined): TokenRecord | undefined {
  return TokenRecord.safeParse(entry?.value).data;
}

function judge({ revokedBy, nodes, usesMax }: TokenRecord, lives: boolean): TokenState {
  if (revokedBy !== undefined) return "revoked";
  if (nodes.length >= usesMax) return "used";
  return lives ? "valid" : "expired";
}

function view(record: TokenRecord, lives: boolean): TokenView {
  const { id, createdAtMs, ttlMs, createdBy, usesMax, nodes } = record;
  const state = judge(record, lives);
  const usesLeft = usesMax - nodes.length;
  const expiresAtMs = createdAtMs + ttlMs;
  return { id, state, usesLeft, usesMax, createdAtMs, expiresAtMs, createdBy, nodes };
}

function listRecords({ entries }: Snapshot): readonly TokenRecord[] {
  return entries.flatMap((entry) => readToken(entry) ?? []);
}

async function readLive(store: Store): Promise<ReadonlySet<string>> {
  const { entries } = await store.list(LIVE);
  return new Set(entries.map(({ key }) => key.slice(LIVE.length)));
}

/** Every token of the last days, the newest first. */
export async function listTokens(store: Store): Promise<readonly TokenView[]> {
  const live = await readLive(store);
  const records = listRecords(await store.list(TOKENS));
  return records.map((record) => view(record, live.has(record.id))).toReversed();
}

/** Keeps a new token, and forgets those that are long over. */
export async function keepToken(store: Store, token: NewToken): Promise<TokenView> {
  const { id, ttlMs, createdBy, nowMs } = token;
  const hash = digest(token).toString("base64url");
  const common = { id, hash, ttlMs, createdBy };
  const value: TokenRecord = { ...common, createdAtMs: nowMs, usesMax: token.uses, nodes: [] };
  const past = listRecords(await store.list(TOKENS)).filter(
    ({ createdAtMs }) => createdAtMs < nowMs - KEPT_MS,
  );
  const { id: lease } = await store.grantLease(ttlMs);
  await store.transact([
    { kind: "put", key: TOKENS + id, value },
    { kind: "put", key: LIVE + id, value: 1, lease },
    ...past.map(({ id: old }) => ({ kind: "delete" as const, key: TOKENS + old })),
  ]);
  return view(value, true);
}

/** Takes a token back: nobody joins with it from now on. Throws FL0736 `no-such-token`. */
export async function revokeToken(store: Store, id: string, by: string): Promise<TokenView> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const entry = await store.get(TOKENS + id);
    const record = readToken(entry);
    if (entry === undefined || record === undefined) break;
    const value: TokenRecord = { ...record, revokedBy: record.revokedBy ?? by };
    const done = await store.transact(
      [
        { kind: "put", key: entry.key, value },
        { kind: "delete", key: LIVE + id },
      ],
      [{ key: entry.key, revision: entry.revision }],
    );
    if (done !== undefined) return view(value, false);
  }
  throw new FairleadError(controlErrors["no-such-token"], `there is no token ${id}`);
}

const REFUSALS = {
  used: ["token-used", "the token has been used up"],
  expired: ["token-expired", "the token has expired"],
  revoked: ["token-revoked", "the token was revoked"],
} as const;

/** Writes of a transaction that takes one use of a token, and what has to hold for them. */
export interface TokenUse {
  readonly operations: readonly StoreOperation[];
  readonly conditions: readonly StoreCondition[];
}

/**
 * What a node that joins has to write so that one use is gone. Throws FL0732 `token-unknown` for a secret that is not the
 * token's as for a token that never was, FL0733 `token-expired`, FL0734 `token-used`, FL0735 `token-revoked`.
 */
export async function planTokenUse(
  store: Store,
  proof: TokenProof,
  node: string,
): Promise<TokenUse> {
  const entry = await store.get(TOKENS + proof.id);
  const live = await store.get(LIVE + proof.id);
  const record = readToken(entry);
  const wanted = Buffer.from(record?.hash ?? "", "base64url");
  const shown = digest(proof);
  const isRight = wanted.length === shown.length && timingSafeEqual(wanted, shown);
  if (entry === undefined || record === undefined || !isRight)
    throw new FairleadError(controlErrors["token-unknown"], "the fleet does not know this token", {
      facts: { token: proof.id },
    });
  const state = judge(record, live !== undefined);
  if (state !== "valid") {
    const [kind, message] = REFUSALS[state];
    const { createdBy, nodes, revokedBy } = record;
    throw new FairleadError(controlErrors[kind], message, {
      facts: {
        token: record.id,
        "made by": createdBy,
        ...(nodes.length === 0 ? {} : { "joined with it": nodes.join(", ") }),
        ...(revokedBy === undefined ? {} : { "revoked by": revokedBy }),
      },
    });
  }
  const value: TokenRecord = { ...record, nodes: [...record.nodes, node] };
  return {
    operations: [{ kind: "put", key: entry.key, value }],
    conditions: [
      { key: entry.key, revision: entry.revision },
      // It may run out between looking and writing.
      { key: LIVE + record.id, revision: live?.revision ?? 0 },
    ],
  };
}
