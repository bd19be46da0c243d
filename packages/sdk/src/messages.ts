// SPDX-License-Identifier: Apache-2.0
import type { Headers } from "@fairlead/fabric/frame.ts";
import { decodeJson } from "@fairlead/fabric/json.ts";
import type { Caller } from "./credentials.ts";

/** A message as its handler sees it. */
export class Message<T = unknown> {
  readonly subject: string;
  /** The payload as it came. A view: copy what is to be kept for long. */
  readonly bytes: Uint8Array;
  readonly headers: Headers;
  /** Who sent it, as its link showed; what the message says of itself plays no part. */
  readonly from: Caller;
  /** 1 at the first delivery; higher when it was given out before. */
  readonly attempt: number;
  /**
   * Aborts when this handler's answer no longer counts: its time is over, the message was given to another after the link
   * broke, or this agent leaves. Draining lets handlers finish. Of messages that are not kept: when the subscription ends.
   */
  readonly signal: AbortSignal;
  readonly #checked: { readonly value: T } | undefined;
  rejected: string | undefined;

  constructor(parts: {
    readonly subject: string;
    readonly bytes: Uint8Array;
    readonly headers: Headers;
    readonly from: Caller;
    readonly attempt: number;
    readonly signal: AbortSignal;
    readonly checked?: { readonly value: T };
  }) {
    this.subject = parts.subject;
    this.bytes = parts.bytes;
    this.headers = parts.headers;
    this.from = parts.from;
    this.attempt = parts.attempt;
    this.signal = parts.signal;
    this.#checked = parts.checked;
  }

  /** The payload as JSON, as the subscription's schema gives it. Throws `invalid_argument` for what is not JSON. */
  get data(): T {
    return this.#checked === undefined ? (decodeJson(this.bytes) as T) : this.#checked.value;
  }

  /** Sends the message to the dead letters with a reason; it is not given out again. */
  reject(reason: string): void {
    this.rejected = reason;
  }
}

/** Handles a message. Returning acknowledges it; throwing asks for it again. */
export type MessageHandler<T> = (message: Message<T>) => void | Promise<void>;
