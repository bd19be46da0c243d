// SPDX-License-Identifier: Apache-2.0
// Frames become batches. An idle link sends a frame at the end of the tick it was written in; a busy one fills batches
// while the transport is not ready, so that batching adapts to the load and never waits for time to pass.
import { encodeFrame, sizeItemHead, writeItemHead } from "./encode-frame.ts";
import type { Frame } from "./frame.ts";
import { HEADROOM, type Transport } from "./transport.ts";
import { WireWriter } from "./wire.ts";

/** Bytes after which a batch is complete. Larger ones win nothing: the kernel's socket buffers are of this order. */
const BATCH_BYTES = 65_536;
/** Payloads above this are sent from where they are; below, copying is cheaper than another part. */
const INLINE_BYTES_MAX = 8_192;
const PENDING_BYTES_MAX = 1_048_576;

interface Batch {
  readonly parts: Uint8Array[];
  readonly sizeBytes: number;
  /** Largest payload in it. */
  readonly payloadBytes: number;
}

export interface BatcherOptions {
  readonly transport: Transport;
  /** Called when there is room again after `full` was true. */
  readonly onRoom: () => void;
  /** Replaces the parts of a batch by smaller ones, or returns undefined. Sizes without headroom. */
  readonly compress?: (
    parts: readonly Uint8Array[],
    sizeBytes: number,
    payloadBytes: number,
  ) => Buffer | undefined;
  /** False: each frame is a batch of its own. For measuring what batching brings. */
  readonly batching?: boolean;
}

/** Collects the frames of one link. */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #sealed: Batch[] = [];
  #writer: WireWriter;
  #from = 0;
  #parts: Uint8Array[] = [];
  #sizeBytes = 0;
  #payloadBytes = 0;
  #pendingBytes = 0;
  #ready = true;
  #scheduled = false;
  #wanted = false;
  #closed = false;

  constructor(options: BatcherOptions) {
    this.#options = options;
    this.#writer = new WireWriter(Buffer.allocUnsafe(BATCH_BYTES + INLINE_BYTES_MAX), HEADROOM);
  }

  /** True when a writer of items should wait. Frames that end or steer conversations are taken all the same. */
  get full(): boolean {
    if (this.#pendingBytes < PENDING_BYTES_MAX) return false;
    this.#wanted = true;
    return true;
  }

  /** Bytes that wait to be sent. */
  get pendingBytes(): number {
    return this.#pendingBytes + this.#sizeBytes;
  }

  /** Adds an ITEM without headers: the hot path. */
  addItem(conversation: number, payload: Uint8Array): void {
    const length = payload.length;
    const headBytes = sizeItemHead(conversation, length);
    const inline = length <= INLINE_BYTES_MAX;
    this.#makeRoom(headBytes + (inline ? length : 0));
    const writer = this.#writer;
    writeItemHead(writer, conversation, length);
    if (inline) {
      writer.bytes.set(payload, writer.position);
      writer.position += length;
      this.#grow(headBytes + length, length);
    } else {
      this.#sizeBytes += headBytes;
      this.#addPart(payload);
    }
  }

  /** Adds any other frame. */
  add(frame: Frame): void {
    const { payload } = frame;
    const inline = payload === undefined || payload.length <= INLINE_BYTES_MAX;
    const bytes = encodeFrame(frame, inline);
    if (bytes.length > INLINE_BYTES_MAX) {
      this.#addPart(bytes);
    } else {
      this.#makeRoom(bytes.length);
      this.#writer.bytes.set(bytes, this.#writer.position);
      this.#writer.position += bytes.length;
      this.#grow(bytes.length, inline ? (payload?.length ?? 0) : 0);
    }
    if (!inline) this.#addPart(payload);
  }

  /** Sends all that is there, then nothing more. */
  close(): void {
    this.#seal();
    for (const batch of this.#sealed.splice(0)) this.#send(batch);
    this.#closed = true;
  }

  /** Drops what is there. */
  destroy(): void {
    this.#closed = true;
    this.#sealed.length = 0;
    this.#parts = [];
    this.#pendingBytes = this.#sizeBytes = 0;
  }

  /** The transport takes batches again. */
  resume(): void {
    this.#ready = true;
    this.#flush();
  }

  #makeRoom(sizeBytes: number): void {
    const { bytes, position } = this.#writer;
    if (position + sizeBytes <= bytes.length) return;
    this.#seal();
    if (this.#writer.position + sizeBytes <= this.#writer.bytes.length) return;
    this.#writer = new WireWriter(Buffer.allocUnsafe(BATCH_BYTES + INLINE_BYTES_MAX), HEADROOM);
    this.#from = 0;
  }

  #grow(sizeBytes: number, payloadBytes: number): void {
    this.#sizeBytes += sizeBytes;
    if (payloadBytes > this.#payloadBytes) this.#payloadBytes = payloadBytes;
    if (this.#sizeBytes >= BATCH_BYTES || this.#options.batching === false) {
      this.#seal();
      if (this.#ready) this.#flush();
    } else if (!this.#scheduled && this.#ready) {
      this.#scheduled = true;
      process.nextTick(() => {
        this.#scheduled = false;
        this.#flush();
      });
    }
  }

  #addPart(part: Uint8Array): void {
    const { bytes, position } = this.#writer;
    // The first part always begins with headroom, even if nothing was written behind it.
    if (position > this.#from) this.#parts.push(bytes.subarray(this.#from, position));
    this.#from = position;
    this.#parts.push(part);
    this.#grow(part.length, part.length);
  }

  #seal(): void {
    if (this.#sizeBytes === 0) return;
    const { bytes, position } = this.#writer;
    if (position > this.#from) this.#parts.push(bytes.subarray(this.#from, position));
    const batch = {
      parts: this.#parts,
      sizeBytes: this.#sizeBytes,
      payloadBytes: this.#payloadBytes,
    };
    this.#sealed.push(batch);
    this.#pendingBytes += batch.sizeBytes;
    this.#parts = [];
    this.#sizeBytes = this.#payloadBytes = 0;
    // The rest of the buffer serves the next batch; a nearly full one is left to the collector.
    if (bytes.length - position < INLINE_BYTES_MAX)
      this.#writer = new WireWriter(Buffer.allocUnsafe(BATCH_BYTES + INLINE_BYTES_MAX));
    this.#from = this.#writer.position;
    this.#writer.position += HEADROOM;
  }

  #flush(): void {
    if (this.#closed) return;
    while (this.#ready) {
      if (this.#sealed.length === 0) this.#seal();
      const batch = this.#sealed.shift();
      if (batch === undefined) break;
      this.#send(batch);
    }
    if (this.#wanted && this.#pendingBytes < PENDING_BYTES_MAX / 2) {
      this.#wanted = false;
      this.#options.onRoom();
    }
  }

  #send(batch: Batch): void {
    const { transport, compress } = this.#options;
    this.#pendingBytes -= batch.sizeBytes;
    const smaller = compress?.(batch.parts, batch.sizeBytes, batch.payloadBytes);
    if (smaller !== undefined) this.#ready = transport.send([smaller], smaller.length - HEADROOM);
    else this.#ready = transport.send(batch.parts, batch.sizeBytes);
  }
}
