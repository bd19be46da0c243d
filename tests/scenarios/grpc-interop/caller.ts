// SPDX-License-Identifier: Apache-2.0
// Calls by the fabric's own gRPC: what dialling is made of, with messages in place of batches.
import type { ClientHttp2Session, IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { constants } from "node:http2";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { beginCall, watchEnd, type CallEnd } from "@fairlead/fabric/grpc/client-call.ts";
import { Deframer } from "@fairlead/fabric/grpc/deframer.ts";
import { frameMessage, unpackMessage } from "@fairlead/fabric/grpc/gzip.ts";
import type { Message, Method } from "./messages.ts";

const MESSAGE_BYTES_MAX = 4_194_304;

/** One answer, and whether it came compressed. */
export interface Answered {
  readonly message: Message;
  readonly wasCompressed: boolean;
}

/** A call in hand. */
export interface Calling {
  send(request: Message, compressed?: boolean): void;
  /** No more requests. */
  close(): void;
  cancel(): void;
  /** Stops to read what comes. */
  pause(): void;
  /** The next answer; undefined at the end. */
  next(): Promise<Answered | undefined>;
  /** What came first. */
  readonly headers: Promise<IncomingHttpHeaders>;
  readonly end: Promise<CallEnd>;
}

export interface CallOptions {
  readonly metadata?: OutgoingHttpHeaders;
  readonly deadlineMs?: number;
}

/** Calls a method. A deadline goes to the server, and ends the call here too. */
export function startCall(
  session: ClientHttp2Session,
  method: Method,
  { metadata = {}, deadlineMs }: CallOptions = {},
): Calling {
  const timeout = deadlineMs === undefined ? {} : { "grpc-timeout": `${deadlineMs}m` };
  const stream = beginCall(session, method.path, {
    ...metadata,
    "grpc-encoding": "gzip",
    ...timeout,
  });
  const answers: Answered[] = [];
  let wake: (() => void) | undefined;
  let ended = false;
  let failure: FabricError | undefined;
  let encoding: string | undefined;
  const headers = Promise.withResolvers<IncomingHttpHeaders>();
  const end = Promise.withResolvers<CallEnd>();
  const giveUp = (error: FabricError): void => {
    failure ??= error;
    stream.close(constants.NGHTTP2_CANCEL);
  };
  const alarm =
    deadlineMs === undefined
      ? undefined
      : setTimeout(
          () => giveUp(new FabricError("deadline_exceeded", "the deadline is over")),
          deadlineMs,
        );
  const deframer = new Deframer(MESSAGE_BYTES_MAX, (bytes, wasCompressed) => {
    const whole = wasCompressed ? unpackMessage(bytes, encoding, MESSAGE_BYTES_MAX) : bytes;
    answers.push({ message: method.decodeAnswer(whole), wasCompressed });
    wake?.();
  });
  stream.on("response", (got) => {
    encoding = got["grpc-encoding"] === undefined ? undefined : String(got["grpc-encoding"]);
    headers.resolve(got);
  });
  stream.on("data", (chunk: Buffer) => {
    try {
      deframer.push(chunk);
    } catch (thrown) {
      giveUp(FabricError.from(thrown, "internal"));
    }
  });
  watchEnd(stream, "the server", ({ error, trailers }) => {
    clearTimeout(alarm);
    ended = true;
    end.resolve({ error: failure ?? error, trailers });
    wake?.();
  });
  return {
    send: (request, compressed) =>
      void stream.write(frameMessage(method.encodeRequest(request), compressed)),
    close: () => void stream.end(),
    cancel: () => giveUp(new FabricError("canceled", "called off")),
    pause: () => void stream.pause(),
    async next() {
      while (answers.length === 0 && !ended) await new Promise<void>((resolve) => (wake = resolve));
      return answers.shift();
    },
    headers: headers.promise,
    end: end.promise,
  };
}

/** All answers; throws the error that the call ends with. */
export async function collect(call: Calling): Promise<readonly Answered[]> {
  const all: Answered[] = [];
  for (let one = await call.next(); one !== undefined; one = await call.next()) all.push(one);
  const { error } = await call.end;
  if (error !== undefined) throw error;
  return all;
}

/** One request, all said. */
export function callWith(
  session: ClientHttp2Session,
  method: Method,
  request: Message,
  options: CallOptions & { readonly compressed?: boolean } = {},
): Calling {
  const call = startCall(session, method, options);
  call.send(request, options.compressed);
  call.close();
  return call;
}
