// SPDX-License-Identifier: Apache-2.0
// A call of a gRPC method at the end that serves it: messages in, messages out, a status. The health protocol is made of
// it; a link, whose messages are batches without an end, has a transport of its own.
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { Deframer } from "./deframer.ts";
import { readTimeout, writeGrpcStatus } from "./grpc-status.ts";
import { ACCEPTED, frameMessage, unpackMessage } from "./gzip.ts";

/** Answers a gRPC stream of one method; owns it. */
export type GrpcMethod = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/** What a method does with its call. After `end` was called nothing of this is called any more. */
export interface CallHandlers {
  onMessage(message: Buffer, wasCompressed: boolean): void;
  /** The caller has said all. */
  onEnd?(): void;
  /** The caller gave up, or its deadline is over. */
  onCancel?(): void;
}

/** What a method answers with. All of it does nothing once the call is over. */
export interface ServerCall {
  readonly headers: IncomingHttpHeaders;
  /** Sends metadata ahead of the first message; without it the first message sends none. */
  begin(metadata?: OutgoingHttpHeaders): void;
  /** Compresses where it is asked to and the caller takes gzip. False when `onRoom` should be waited for. */
  send(message: Uint8Array, compressed?: boolean): boolean;
  /** Calls the listener once, when there is room again. */
  onRoom(listener: () => void): void;
  /** Ends the call, with an error or well. */
  end(error?: FabricError, trailers?: OutgoingHttpHeaders): void;
}

const HEADERS = {
  ":status": 200,
  "content-type": "application/grpc+proto",
  "grpc-accept-encoding": ACCEPTED,
};

/** Makes a method of what is to be done with each call. Messages above the limit end it with `resource_exhausted`. */
export function createMethod(
  messageBytesMax: number,
  open: (call: ServerCall) => CallHandlers,
): GrpcMethod {
  return (stream, headers) => {
    const takesGzip = String(headers["grpc-accept-encoding"] ?? "").includes("gzip");
    let over = false;
    let deadline: ReturnType<typeof setTimeout> | undefined;
    const call: ServerCall = {
      headers,
      begin(metadata = {}) {
        if (over || stream.destroyed || stream.headersSent) return;
        const encoding = takesGzip ? { "grpc-encoding": "gzip" } : {};
        stream.respond({ ...metadata, ...HEADERS, ...encoding }, { waitForTrailers: true });
      },
      send(message, compressed = false) {
        if (over || stream.destroyed) return true;
        call.begin();
        return stream.write(frameMessage(message, compressed && takesGzip));
      },
      onRoom: (listener) => void stream.once("drain", listener),
      end(error, trailers = {}) {
        if (over || stream.destroyed) return;
        over = true;
        clearTimeout(deadline);
        const last = { ...trailers, ...writeGrpcStatus(error) };
        if (stream.headersSent) {
          stream.on("wantTrailers", () => stream.sendTrailers(last));
          stream.end();
        } else {
          stream.respond({ ...HEADERS, ...last }, { endStream: true });
        }
        // What the caller still sends is not wanted, and must not keep the stream open.
        stream.resume();
      },
    };
    const attempt = (deed: () => void): void => {
      if (over) return;
      try {
        deed();
      } catch (thrown) {
        call.end(FabricError.from(thrown, "unknown"));
      }
    };
    attempt(() => {
      const handlers = open(call);
      const timeoutMs = readTimeout(headers["grpc-timeout"]);
      if (timeoutMs !== undefined) {
        const expire = (): void => {
          call.end(new FabricError("deadline_exceeded", "the deadline is over"));
          handlers.onCancel?.();
        };
        deadline = setTimeout(expire, Math.min(timeoutMs, 2 ** 31 - 1));
      }
      const encoding = headers["grpc-encoding"];
      const deframer = new Deframer(messageBytesMax, (message, compressed) => {
        if (over) return;
        const whole = compressed
          ? unpackMessage(
              message,
              encoding === undefined ? encoding : String(encoding),
              messageBytesMax,
            )
          : message;
        handlers.onMessage(whole, compressed);
      });
      stream.on("data", (chunk: Buffer) => attempt(() => deframer.push(chunk)));
      stream.on("end", () => attempt(() => handlers.onEnd?.()));
      stream.on("close", () => {
        clearTimeout(deadline);
        if (over) return;
        over = true;
        handlers.onCancel?.();
      });
    });
  };
}
