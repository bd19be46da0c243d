// SPDX-License-Identifier: Apache-2.0
// Frames of fabric.proto as objects.

/** `Kind` of fabric.proto. */
export const KIND = {
  item: 0,
  hello: 1,
  open: 2,
  end: 3,
  cancel: 4,
  credit: 5,
  drain: 6,
} as const;

/** `Encoding` of fabric.proto. */
export const ENCODING = { none: 0, gzip: 1, zstd: 2 } as const;

export type Headers = Readonly<Record<string, string>>;

/** Who speaks, and what it can take. `windowBytes`: items of a conversation before any credit. */
export interface Hello {
  readonly version: number;
  readonly id: string;
  readonly name: string;
  readonly scope: string;
  readonly encodings: readonly number[];
  readonly windowBytes: number;
  readonly payloadBytesMax: number;
  readonly ticket: string;
}

/** What a conversation is about. `deadlineMs` is what remains; 0: no deadline. */
export interface Open {
  readonly target: string;
  readonly method: string;
  readonly deadlineMs: number;
  readonly caller: string;
  readonly hops: number;
  readonly idempotent: boolean;
  readonly streams: boolean;
  /** Who asks, proven, where members of a topology pass it on; else empty. */
  readonly proof: string;
}

/** How a conversation ended; `code` is gRPC's number. */
export interface Status {
  readonly code: number;
  readonly message: string;
  readonly reason: string;
  readonly retryable: boolean;
  readonly facts: Headers;
  /** Refused before anything was begun. */
  readonly unbegun: boolean;
}

/** One frame. Which members are set depends on the kind; see fabric.proto. */
export interface Frame {
  readonly kind: number;
  readonly conversation: number;
  readonly payload: Uint8Array | undefined;
  readonly credit: number;
  readonly open: Open | undefined;
  readonly status: Status | undefined;
  readonly hello: Hello | undefined;
  readonly headers: Headers | undefined;
}

/** Tags of the fields of Batch and Frame: number and wire type. */
export const TAG = {
  frames: 0x0a,
  compressed: 0x12,
  encoding: 0x18,
  size: 0x20,
  kind: 0x08,
  conversation: 0x10,
  payload: 0x1a,
  credit: 0x20,
  open: 0x2a,
  status: 0x32,
  hello: 0x3a,
  headers: 0x42,
} as const;

/** A frame with what is not named left empty. */
export function makeFrame(kind: number, conversation: number, parts: Partial<Frame> = {}): Frame {
  return {
    kind,
    conversation,
    payload: parts.payload,
    credit: parts.credit ?? 0,
    open: parts.open,
    status: parts.status,
    hello: parts.hello,
    headers: parts.headers,
  };
}

/** What a batch holds in place of frames. */
export interface CompressedBatch {
  readonly bytes: Buffer;
  readonly encoding: number;
  readonly sizeBytes: number;
}

/** A status that means success. */
export const OK: Status = {
  code: 0,
  message: "",
  reason: "",
  retryable: false,
  facts: {},
  unbegun: false,
};
