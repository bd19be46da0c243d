// SPDX-License-Identifier: Apache-2.0
// What goes to Consul and comes from it, as far as the store needs it.

/** One entry as `/v1/kv` and `/v1/txn` show it. */
export interface KvPair {
  readonly Key: string;
  /** Base64; null when it is empty, or left out of an answer. */
  readonly Value: string | null;
  readonly ModifyIndex: number;
  readonly Session?: string;
}

export type KvVerb =
  | "set"
  | "lock"
  | "delete"
  | "get"
  | "get-tree"
  | "check-index"
  | "check-not-exists";

/** One operation of `PUT /v1/txn`. */
export interface TxnOperation {
  readonly KV: {
    readonly Verb: KvVerb;
    readonly Key: string;
    readonly Value?: string;
    readonly Index?: number;
    readonly Session?: string;
  };
}

/** What failed, and why in words. */
export interface TxnError {
  readonly OpIndex: number;
  readonly What: string;
}

export interface TxnAnswer {
  readonly Results: readonly { readonly KV: KvPair }[] | null;
  readonly Errors: readonly TxnError[] | null;
}

/** The text of a value. */
export function decodeValue({ Value }: KvPair): string {
  return Buffer.from(Value ?? "", "base64").toString("utf8");
}
