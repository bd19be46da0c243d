// SPDX-License-Identifier: Apache-2.0
// What a handler makes of one message that is kept.
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Headers } from "@fairlead/fabric/frame.ts";
import { decodeJson } from "@fairlead/fabric/json.ts";
import { HEADER } from "@fairlead/fabric/log-headers.ts";
import type { Settlement } from "@fairlead/protocol/fabric.ts";
import { Message, type MessageHandler } from "./messages.ts";
import { validate, type StandardSchema } from "./standard-schema.ts";

export interface Handling {
  /** The agent's scope, which is that of all who publish to it. */
  readonly scope: string;
  readonly schema: StandardSchema | undefined;
  readonly handler: MessageHandler<unknown>;
  /** Told of a handler that threw; without a message, of a subscription that the node refused. */
  readonly onError: (error: FabricError, message: Message | undefined) => void;
}

/** Pause before a message that failed is given out again: doubled with each attempt, up to ten seconds. */
const DELAY_MS_FIRST = 100;
const DELAY_MS_LAST = 10_000;
const REASON_MAX = 1_000;

/** Runs the handler; what the node is to be told. Never rejects. */
export async function handleKept(
  item: { readonly payload: Uint8Array; readonly headers: Headers },
  { scope, schema, handler, onError }: Handling,
  signal: AbortSignal,
): Promise<Settlement> {
  const { headers, payload } = item;
  const sequence = Number(headers[HEADER.sequence]);
  const attempt = Number(headers[HEADER.attempt] ?? 1);
  const parts = {
    subject: headers[HEADER.subject] ?? "",
    bytes: payload,
    headers: Object.fromEntries(Object.entries(headers).filter(([key]) => !key.startsWith("$"))),
    from: { scope, name: headers[HEADER.from] ?? "" },
    attempt,
    signal,
  };
  let message = new Message(parts);
  try {
    if (schema !== undefined) {
      const what = `a message of ${message.subject}`;
      const value = await validate(schema, decodeJson(payload), what);
      message = new Message({ ...parts, checked: { value } });
    }
    await handler(message);
    if (message.rejected === undefined) return { ack: sequence };
    return { reject: sequence, reason: message.rejected.slice(0, REASON_MAX) };
  } catch (thrown) {
    onError(FabricError.from(thrown), message);
    const delayMs = Math.min(DELAY_MS_FIRST * 2 ** (attempt - 1), DELAY_MS_LAST);
    return { nack: sequence, delayMs };
  }
}
