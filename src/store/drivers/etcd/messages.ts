// SPDX-License-Identifier: Apache-2.0
// The messages of etcd.proto as they go in and come out: whole numbers of 64 bits are text, bytes are buffers.

export interface Header {
  readonly revision: string;
}

export interface KeyValue {
  readonly key: Buffer;
  readonly mod_revision: string;
  readonly value: Buffer;
}

export interface RangeRequest {
  readonly key: Buffer;
  readonly range_end?: Buffer;
  readonly limit?: number;
  readonly revision?: number;
  readonly sort_order?: "ASCEND" | "DESCEND";
  readonly count_only?: boolean;
}

export interface RangeResponse {
  readonly header: Header;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
}

export interface Compare {
  readonly result: "EQUAL";
  readonly target: "MOD";
  readonly key: Buffer;
  readonly mod_revision: number;
}

export type RequestOp =
  | {
      readonly request_put: {
        readonly key: Buffer;
        readonly value: Buffer;
        readonly lease: string;
      };
    }
  | { readonly request_delete_range: { readonly key: Buffer } };

export interface TxnRequest {
  readonly compare: readonly Compare[];
  readonly success: readonly RequestOp[];
}

export interface TxnResponse {
  readonly header: Header;
  readonly succeeded: boolean;
}

export interface WatchRequest {
  readonly create_request: {
    readonly key: Buffer;
    readonly range_end: Buffer;
    readonly start_revision: number;
    readonly progress_notify: boolean;
  };
}

export interface WatchResponse {
  readonly header: Header;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compact_revision: string;
  readonly cancel_reason: string;
  readonly events: readonly { readonly type: "PUT" | "DELETE"; readonly kv: KeyValue }[];
}

export interface LeaseMessage {
  readonly ID: string;
  readonly TTL: string;
}

/** What is asked and answered, by the method's path. */
export interface UnaryMethods {
  readonly "KV/Range": { readonly in: RangeRequest; readonly out: RangeResponse };
  readonly "KV/Txn": { readonly in: TxnRequest; readonly out: TxnResponse };
  readonly "Lease/LeaseGrant": {
    readonly in: { readonly TTL: number };
    readonly out: LeaseMessage;
  };
  readonly "Lease/LeaseRevoke": { readonly in: { readonly ID: string }; readonly out: object };
  readonly "Auth/Authenticate": {
    readonly in: { readonly name: string; readonly password: string };
    readonly out: { readonly token: string };
  };
}

/** The same for methods that stream both ways. */
export interface StreamMethods {
  readonly "Watch/Watch": { readonly in: WatchRequest; readonly out: WatchResponse };
  readonly "Lease/LeaseKeepAlive": {
    readonly in: { readonly ID: string };
    readonly out: LeaseMessage;
  };
}
