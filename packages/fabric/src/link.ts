// SPDX-License-Identifier: Apache-2.0
// A link: all conversations between two peers, over one transport.
import { Batcher } from "./batcher.ts";
import { checkCertificate } from "./certificate.ts";
import { createCompressor, decompressBatch, ENCODINGS } from "./compression.ts";
import { Conversation, toError, toStatus, type ConversationLink } from "./conversation.ts";
import { readBatch } from "./decode-batch.ts";
import { DRAINING, FabricError } from "./errors.ts";
import { KIND, makeFrame, type Frame, type Headers, type Hello, type Open } from "./frame.ts";
import { checkHeaders } from "./headers.ts";
import type { Transport } from "./transport.ts";

/** The protocol's version. */
export const VERSION = 1;
/** Bytes of items that a peer may send in a conversation before any credit. Larger: more in flight, more memory. */
const WINDOW_BYTES = 1_048_576;
/** Largest payload that is accepted. */
export const PAYLOAD_BYTES_MAX = 16_777_216;
const CONVERSATIONS_MAX = 10_000;
const HELLO_MS_MAX = 5_000;

export interface Identity {
  readonly id: string;
  readonly name: string;
  readonly scope: string;
  readonly ticket?: string;
}

export interface LinkOptions {
  readonly transport: Transport;
  /** True at the end that dialled: it says Hello first and opens odd conversations. */
  readonly dialled: boolean;
  readonly self: Identity;
  /** Throws to refuse the peer; what it throws is what the peer is told. */
  readonly admit?: (peer: Hello) => void;
  /** The ticket for this peer, in place of `self`'s; asked without a peer at the end that speaks first. */
  readonly show?: (peer: Hello | undefined) => string;
  /** A conversation that the peer opened. Sets the handlers before it returns, or throws to refuse, having begun nothing. */
  readonly accept: (conversation: Conversation, link: Link) => void;
  readonly onClosed?: (link: Link, error: FabricError | undefined) => void;
  /** The peer opens no more conversations and takes none: another link is needed for what comes. */
  readonly onDrain?: (link: Link) => void;
  readonly windowBytes?: number;
  readonly payloadBytesMax?: number;
  /** `auto` compresses for peers on other machines. */
  readonly compress?: "auto" | "always" | "never";
  readonly batching?: boolean;
}

export interface OpenParts {
  readonly payload?: Uint8Array;
  readonly headers?: Headers;
}

function refuseLeaving(): FabricError {
  return new FabricError("unavailable", "the peer is leaving", {
    reason: DRAINING,
    unbegun: true,
  });
}

/** Opens and accepts conversations with one peer. */
export class Link implements ConversationLink {
  /** Resolves with the peer's Hello; rejects when it is refused or the transport ends before. */
  readonly ready: Promise<Hello>;
  readonly transport: Transport;
  readonly #options: LinkOptions;
  readonly #batcher: Batcher;
  readonly #conversations = new Map<number, Conversation>();
  readonly #waiting = new Set<Conversation>();
  readonly #windowBytes: number;
  #nextId: number;
  #theirs = 0;
  #peer: Hello | undefined;
  #compress: ReturnType<typeof createCompressor>;
  #resolve: (peer: Hello) => void = () => undefined;
  #reject: (error: FabricError) => void = () => undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #onIdle: (() => void) | undefined;
  #closed = false;
  /** Each side opens nothing more once it has said DRAIN; the peer has said so too when nothing more can come of it. */
  #saidDrain = false;
  #heardDrain = false;

  constructor(options: LinkOptions) {
    const { transport } = options;
    this.#options = options;
    this.transport = transport;
    this.#windowBytes = options.windowBytes ?? WINDOW_BYTES;
    this.#nextId = options.dialled ? 1 : 2;
    this.ready = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.ready.catch(() => undefined);
    this.#batcher = new Batcher({
      transport,
      onRoom: () => this.#onRoom(),
      compress: (parts, sizeBytes, payloadBytes) =>
        this.#compress?.(parts, sizeBytes, payloadBytes),
      ...(options.batching === undefined ? {} : { batching: options.batching }),
    });
    transport.start({
      onBatch: (bytes) => this.#onBatch(bytes),
      onReady: () => this.#batcher.resume(),
      onClosed: (error) => this.#onClosed(error),
    });
    this.#timer = setTimeout(() => {
      this.destroy(new FabricError("deadline_exceeded", "the peer did not say Hello in time"));
    }, HELLO_MS_MAX);
    this.#timer.unref();
    if (options.dialled) this.#sayHello();
  }

  /** The peer's Hello; throws before `ready`. */
  get peer(): Hello {
    if (this.#peer === undefined) throw new FabricError("unavailable", "the link is not ready");
    return this.#peer;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether it ends: what is open goes on, and nothing new is opened. */
  get draining(): boolean {
    return this.#saidDrain || this.#heardDrain;
  }

  /** Conversations that are not over. */
  get size(): number {
    return this.#conversations.size;
  }

  get full(): boolean {
    return this.#batcher.full;
  }

  get payloadBytesMax(): number {
    return this.#peer?.payloadBytesMax ?? PAYLOAD_BYTES_MAX;
  }

  /** Opens a conversation. The caller sets its handlers at once. Throws when the link is closed or draining. */
  open(open: Open, parts: OpenParts = {}): Conversation {
    if (this.#closed) throw new FabricError("unavailable", "the link is closed", { unbegun: true });
    if (this.draining) throw refuseLeaving();
    checkHeaders(parts.headers);
    const payloadBytes = parts.payload?.length ?? 0;
    if (payloadBytes > this.payloadBytesMax) {
      throw new FabricError(
        "invalid_argument",
        `${payloadBytes} bytes are above the peer's limit of ${this.payloadBytesMax}`,
        { reason: "too-large" },
      );
    }
    const id = this.#nextId;
    this.#nextId += 2;
    const window = { ownBytes: this.#windowBytes, peerBytes: this.peer.windowBytes };
    const conversation = new Conversation(this, id, true, { open, ...parts }, window);
    this.#conversations.set(id, conversation);
    this.#batcher.add(makeFrame(KIND.open, id, { open, ...parts }));
    return conversation;
  }

  /** Tells the peer to open no more, lets what is open or on its way end, then closes; at the latest after `timeoutMs`. */
  async drain(timeoutMs: number): Promise<void> {
    if (this.#closed) return;
    if (this.#peer === undefined) return this.close();
    this.#sayDrain();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#checkIdle();
    });
    this.close();
  }

  /** Sends what was written, then ends; conversations that are open fail. */
  close(error?: FabricError): void {
    if (this.#closed) return;
    this.#batcher.close();
    this.transport.close();
    this.#onClosed(error);
  }

  destroy(error: FabricError): void {
    if (this.#closed) return;
    this.#batcher.destroy();
    this.transport.destroy(error);
    this.#onClosed(error);
  }

  addItem(conversation: number, payload: Uint8Array): void {
    if (!this.#closed) this.#batcher.addItem(conversation, payload);
  }

  add(frame: Frame): void {
    if (!this.#closed) this.#batcher.add(frame);
  }

  forget(conversation: Conversation): void {
    if (this.#conversations.delete(conversation.id) && !conversation.opened) this.#theirs--;
    this.#waiting.delete(conversation);
    this.#checkIdle();
  }

  awaitRoom(conversation: Conversation): void {
    this.#waiting.add(conversation);
  }

  #sayDrain(): void {
    if (this.#saidDrain) return;
    this.#saidDrain = true;
    this.#batcher.add(makeFrame(KIND.drain, 0));
  }

  /** Nothing is open, and nothing that the peer opened can be on its way. */
  #checkIdle(): void {
    if (this.#conversations.size === 0 && this.#heardDrain) this.#onIdle?.();
  }

  #sayHello(): void {
    const { self, show } = this.#options;
    const hello: Hello = {
      version: VERSION,
      id: self.id,
      name: self.name,
      scope: self.scope,
      encodings: this.#options.compress === "never" ? [] : ENCODINGS,
      windowBytes: this.#windowBytes,
      payloadBytesMax: this.#options.payloadBytesMax ?? PAYLOAD_BYTES_MAX,
      ticket: show === undefined ? (self.ticket ?? "") : show(this.#peer),
    };
    this.#batcher.add(makeFrame(KIND.hello, 0, { hello }));
  }

  #onRoom(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const conversation of waiting) conversation.handlers.onRoom();
  }

  #onBatch(bytes: Buffer): void {
    try {
      const compressed = readBatch(bytes, (frame) => this.#onFrame(frame));
      if (compressed === undefined) return;
      const max = 2 * (this.#options.payloadBytesMax ?? PAYLOAD_BYTES_MAX);
      const nested = readBatch(decompressBatch(compressed, max), (frame) => this.#onFrame(frame));
      if (nested !== undefined)
        throw new FabricError("invalid_argument", "a batch is compressed twice");
    } catch (thrown) {
      const error = FabricError.from(thrown, "internal");
      this.add(makeFrame(KIND.end, 0, { status: toStatus(error) }));
      this.close(error);
    }
  }

  #onFrame(frame: Frame): void {
    if (this.#closed) return;
    const known = this.#conversations.get(frame.conversation);
    if (known !== undefined && this.#peer !== undefined) known.receive(frame);
    else if (frame.kind === KIND.hello) this.#onHello(frame.hello);
    else if (frame.kind === KIND.end && frame.conversation === 0) this.#onRefused(frame);
    else if (this.#peer === undefined)
      throw new FabricError("failed_precondition", "a frame came before Hello");
    else if (frame.kind === KIND.open) this.#onOpen(frame);
    else if (frame.kind === KIND.drain) this.#onDrain();
    // Anything else belongs to a conversation that is over here and not yet there.
  }

  #onDrain(): void {
    this.#heardDrain = true;
    // The owner first: it looks for another link.
    if (!this.#saidDrain) this.#options.onDrain?.(this);
    this.#sayDrain();
    this.#checkIdle();
  }

  #onRefused({ status }: Frame): void {
    const isSaid = status !== undefined && status.code !== 0;
    this.close(
      isSaid ? toError(status) : new FabricError("unavailable", "the peer closed the link"),
    );
  }

  #onHello(hello: Hello | undefined): void {
    if (hello === undefined || this.#peer !== undefined)
      throw new FabricError("invalid_argument", "Hello comes once, as the first frame");
    if (hello.version !== VERSION) {
      throw new FabricError(
        "failed_precondition",
        `the peer speaks version ${hello.version} of the protocol, this is ${VERSION}`,
        { reason: "version" },
      );
    }
    checkCertificate(this.transport.peerId, hello);
    this.#options.admit?.(hello);
    clearTimeout(this.#timer);
    this.#peer = hello;
    const { compress = "auto" } = this.#options;
    if (compress === "always" || (compress === "auto" && !this.transport.local))
      this.#compress = createCompressor(hello.encodings);
    if (!this.#options.dialled) this.#sayHello();
    this.#resolve(hello);
  }

  #onOpen(frame: Frame): void {
    const { conversation: id, open } = frame;
    const odd = id % 2 === 1;
    if (open === undefined || id === 0 || odd === this.#options.dialled)
      throw new FabricError("invalid_argument", "a conversation is opened in a wrong way");
    const window = { ownBytes: this.#windowBytes, peerBytes: this.peer.windowBytes };
    const parts = {
      open,
      ...(frame.payload === undefined ? {} : { payload: frame.payload }),
      ...(frame.headers === undefined ? {} : { headers: frame.headers }),
    };
    const conversation = new Conversation(this, id, false, parts, window);
    this.#theirs++;
    this.#conversations.set(id, conversation);
    try {
      if (this.draining) throw refuseLeaving();
      if (this.#theirs > CONVERSATIONS_MAX) {
        throw new FabricError("resource_exhausted", `more than ${CONVERSATIONS_MAX} are open`);
      }
      this.#options.accept(conversation, this);
    } catch (thrown) {
      conversation.refuse(FabricError.from(thrown, "internal"));
    }
  }

  #onClosed(error: FabricError | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#batcher.destroy();
    const reason = error ?? new FabricError("unavailable", "the peer closed the link");
    this.#reject(reason);
    // The owner first: what is told of its broken conversation next may ask it for another link at once.
    this.#options.onClosed?.(this, error);
    for (const conversation of this.#conversations.values()) conversation.abandon(reason);
    this.#conversations.clear();
    this.#waiting.clear();
    this.#onIdle?.();
  }
}
