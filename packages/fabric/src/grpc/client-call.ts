// SPDX-License-Identifier: Apache-2.0
// A call of a gRPC method at the end that makes it: its headers, and how it ended.
import {
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { readGrpcStatus } from "./grpc-status.ts";
import { ACCEPTED } from "./gzip.ts";

const HTTP_OK = 200;

/** How a call ended. */
export interface CallEnd {
  /** Undefined when it ended well. */
  readonly error: FabricError | undefined;
  /** Those of an answer without messages are its headers. */
  readonly trailers: IncomingHttpHeaders;
}

/** Begins a call; the caller writes its messages to the stream. */
export function beginCall(
  session: ClientHttp2Session,
  path: string,
  metadata: OutgoingHttpHeaders = {},
): ClientHttp2Stream {
  return session.request({
    ...metadata,
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc+proto",
    "grpc-accept-encoding": ACCEPTED,
    te: "trailers",
    "user-agent": "fairlead/0.1",
  });
}

function errorOfReset(stream: ClientHttp2Stream): FabricError | undefined {
  if (stream.rstCode === constants.NGHTTP2_NO_ERROR) return undefined;
  if (stream.rstCode === constants.NGHTTP2_CANCEL)
    return new FabricError("canceled", "the call was called off");
  return new FabricError("unavailable", `the stream was reset with code ${stream.rstCode}`);
}

/** Calls `onEnd` once, when the peer has said all or the stream has closed. `peer` is for the messages of errors. */
export function watchEnd(
  stream: ClientHttp2Stream,
  peer: string,
  onEnd: (end: CallEnd) => void,
): void {
  let error: FabricError | undefined;
  let trailers: IncomingHttpHeaders = {};
  stream.on("response", (headers) => {
    trailers = headers;
    if (headers[":status"] === HTTP_OK) error ??= readGrpcStatus(headers);
    else
      error ??= new FabricError("unavailable", `the peer answered with HTTP ${headers[":status"]}`);
  });
  stream.on("trailers", (headers) => {
    trailers = headers;
    error ??= readGrpcStatus(headers);
  });
  stream.on("error", (cause: Error) => {
    error ??=
      errorOfReset(stream) ??
      new FabricError("unavailable", `lost ${peer}: ${cause.message}`, { cause });
  });
  let over = false;
  const finish = (): void => {
    if (over) return;
    over = true;
    // Whoever has told how it ended may reset what is left of the stream.
    if (trailers["grpc-status"] === undefined) error ??= errorOfReset(stream);
    onEnd({ error, trailers });
  };
  // The trailers are told in the same turn as the end of the messages, before it or after.
  stream.on("end", () => setImmediate(finish));
  stream.on("close", finish);
}
