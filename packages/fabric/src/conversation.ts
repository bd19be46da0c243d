// SPDX-License-Identifier: Apache-2.0
// One conversation of a link: items in both directions, each direction with a credit of bytes. Calls, streams, messages and
// relays are all conversations.
import { codeOfNumber, FabricError, numberOfCode } from "./errors.ts";
import { KIND, makeFrame, OK, type Frame, type Headers, type Open, type Status } from "./frame.ts";
import { checkHeaders } from "./headers.ts";

/** What an item costs beyond its bytes, so that empty ones are bounded too. */
export const ITEM_COST = 64;

/** What a conversation tells its user. Set all before the next tick; nothing is kept for a handler that is set later. */
export interface ConversationHandlers {
  /** An item came. The bytes are a view; `consumed` gives the peer credit for more. */
  onItem(payload: Uint8Array, headers: Headers | undefined): void;
  /** The peer has said all. For the opener the conversation is over; `payload` is the last item, at no cost. */
  onEnd(status: Status, payload: Uint8Array | undefined, headers: Headers | undefined): void;
  /** The opener wants no answer any more, or the link broke; the conversation is over. */
  onCancel(error: FabricError): void;
  /** `trySend` may succeed again. */
  onRoom(): void;
}

/** What a conversation needs of its link. */
export interface ConversationLink {
  readonly full: boolean;
  readonly payloadBytesMax: number;
  addItem(conversation: number, payload: Uint8Array): void;
  add(frame: Frame): void;
  /** The conversation is over in both directions. */
  forget(conversation: Conversation): void;
  /** Calls `onRoom` of the conversation when the link has room. */
  awaitRoom(conversation: Conversation): void;
}

const NO_HANDLERS: ConversationHandlers = {
  onItem: () => undefined,
  onEnd: () => undefined,
  onCancel: () => undefined,
  onRoom: () => undefined,
};

/** Status of an error, for the wire. What another refused to begin says nothing of what was begun here. */
export function toStatus(error: FabricError, unbegun = false): Status {
  return {
    code: numberOfCode(error.code),
    message: error.message,
    reason: error.reason,
    retryable: error.retryable,
    facts: error.facts,
    unbegun,
  };
}

/** The error of a status that is not OK. */
export function toError(status: Status): FabricError {
  return new FabricError(codeOfNumber(status.code), status.message, {
    ...(status.reason === "" ? {} : { reason: status.reason }),
    retryable: status.retryable,
    facts: status.facts,
    unbegun: status.unbegun,
  });
}

/** Both ends of a conversation have this form; `opened` tells which end it is. */
export class Conversation {
  readonly id: number;
  /** True at the end that opened it. */
  readonly opened: boolean;
  readonly open: Open;
  readonly headers: Headers | undefined;
  /** What came with OPEN. */
  readonly first: Uint8Array | undefined;
  handlers: ConversationHandlers = NO_HANDLERS;
  readonly #link: ConversationLink;
  readonly #windowBytes: number;
  /** Bytes that this end may still send. */
  #creditBytes: number;
  /** Bytes that the peer may still send: one item may go beyond. */
  #allowedBytes: number;
  #owedBytes = 0;
  #over = false;
  #said = false;
  #heard = false;

  constructor(
    link: ConversationLink,
    id: number,
    opened: boolean,
    frame: { readonly open: Open; readonly payload?: Uint8Array; readonly headers?: Headers },
    window: { readonly ownBytes: number; readonly peerBytes: number },
  ) {
    this.#link = link;
    this.id = id;
    this.opened = opened;
    this.open = frame.open;
    this.headers = frame.headers;
    this.first = frame.payload;
    this.#windowBytes = window.ownBytes;
    this.#creditBytes = window.peerBytes;
    this.#allowedBytes = window.ownBytes;
    this.#said = opened && !frame.open.streams;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Whether the peer has used up its credit, and waits until something is consumed. */
  get spent(): boolean {
    return this.#allowedBytes <= 0;
  }

  /** Whether the peer has ended its items. */
  get heard(): boolean {
    return this.#heard;
  }

  /** Sends an item; false when the peer or the link has no room: wait for `onRoom`. Throws when it is over, or item or headers are too large. */
  trySend(payload: Uint8Array, headers?: Headers): boolean {
    if (this.#over || this.#said)
      throw new FabricError("failed_precondition", "the conversation is over");
    if (payload.length > this.#link.payloadBytesMax) throw this.#tooLarge(payload);
    checkHeaders(headers);
    if (this.#creditBytes <= 0) return false;
    if (this.#link.full) {
      this.#link.awaitRoom(this);
      return false;
    }
    this.#creditBytes -= payload.length + ITEM_COST;
    if (headers === undefined) this.#link.addItem(this.id, payload);
    else this.#link.add(makeFrame(KIND.item, this.id, { payload, headers }));
    return true;
  }

  /** Gives the peer credit for what was taken: `bytes` of payload in `items` items. */
  consumed(bytes: number, items = 1): void {
    this.#owedBytes += bytes + items * ITEM_COST;
    if (this.#owedBytes * 2 < this.#windowBytes || this.#over || this.#heard) return;
    this.grant(this.#owedBytes);
    this.#owedBytes = 0;
  }

  /** Gives the peer credit for so many bytes more. */
  grant(bytes: number): void {
    if (this.#over) return;
    this.#allowedBytes += bytes;
    this.#link.add(makeFrame(KIND.credit, this.id, { credit: bytes }));
  }

  /** The opener: no more items. The other end: the conversation is over, with an optional last item. */
  end(payload?: Uint8Array, headers?: Headers, status: Status = OK): void {
    if (this.#over || (this.opened && this.#said)) return;
    checkHeaders(headers);
    const large = payload !== undefined && payload.length > this.#link.payloadBytesMax;
    if (large) {
      if (this.opened) throw this.#tooLarge(payload);
      return this.fail(this.#tooLarge(payload));
    }
    this.#said = true;
    this.#link.add(makeFrame(KIND.end, this.id, parts(payload, headers, status)));
    if (!this.opened) this.#finish();
  }

  /** Ends the conversation with an error; at the opener's end, cancels it. */
  fail(error: FabricError): void {
    if (this.#over) return;
    if (this.opened) this.#link.add(makeFrame(KIND.cancel, this.id, { status: toStatus(error) }));
    else this.#link.add(makeFrame(KIND.end, this.id, { status: toStatus(error) }));
    this.#finish();
  }

  /** Ends what the peer opened, and says that nothing of it was begun. */
  refuse(error: FabricError): void {
    if (this.#over || this.opened) return;
    this.#link.add(makeFrame(KIND.end, this.id, { status: toStatus(error, true) }));
    this.#finish();
  }

  /** A frame of this conversation came. Called by the link. */
  receive(frame: Frame): void {
    const { kind, payload } = frame;
    if (kind === KIND.item) {
      if (!this.#heard) this.#take(payload ?? EMPTY, frame.headers);
    } else if (kind === KIND.credit) {
      const starved = this.#creditBytes <= 0;
      this.#creditBytes += frame.credit;
      if (starved && this.#creditBytes > 0) this.handlers.onRoom();
    } else if (kind === KIND.end) {
      this.#heard = true;
      if (this.opened) this.#finish();
      this.handlers.onEnd(frame.status ?? OK, payload, frame.headers);
    } else if (kind === KIND.cancel && !this.opened) {
      this.#finish();
      const status = frame.status;
      this.handlers.onCancel(
        status === undefined || status.code === 0
          ? new FabricError("canceled", "the caller gave up")
          : toError(status),
      );
    }
  }

  /** The link broke. Called by the link. */
  abandon(error: FabricError): void {
    if (this.#over) return;
    this.#over = true;
    if (this.opened) this.handlers.onEnd(toStatus(error), undefined, undefined);
    else this.handlers.onCancel(error);
  }

  /** An item costs credit before anybody sees it; a peer that spends what it does not have is not heard any more. */
  #take(payload: Uint8Array, headers: Headers | undefined): void {
    if (this.#allowedBytes > 0) {
      this.#allowedBytes -= payload.length + ITEM_COST;
      this.handlers.onItem(payload, headers);
      return;
    }
    const error = new FabricError("resource_exhausted", "the peer sends more than it has credit", {
      reason: "credit",
      retryable: false,
      facts: { window: String(this.#windowBytes) },
    });
    this.fail(error);
    if (this.opened) this.handlers.onEnd(toStatus(error), undefined, undefined);
    else this.handlers.onCancel(error);
  }

  #finish(): void {
    this.#over = true;
    this.#link.forget(this);
  }

  #tooLarge(payload: Uint8Array): FabricError {
    const max = this.#link.payloadBytesMax;
    return new FabricError(
      "invalid_argument",
      `${payload.length} bytes are above the peer's limit of ${max}`,
      {
        reason: "too-large",
        facts: { size: String(payload.length), limit: String(max) },
      },
    );
  }
}

const EMPTY = new Uint8Array(0);

function parts(
  payload: Uint8Array | undefined,
  headers: Headers | undefined,
  status: Status,
): Partial<Frame> {
  return {
    ...(payload === undefined ? {} : { payload }),
    ...(headers === undefined ? {} : { headers }),
    ...(status === OK ? {} : { status }),
  };
}
