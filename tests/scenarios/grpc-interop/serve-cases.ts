// SPDX-License-Identifier: Apache-2.0
// The test service on the fabric's own gRPC.
import type { OutgoingHttpHeaders } from "node:http2";
import { codeOfNumber, FabricError } from "@fairlead/fabric/errors.ts";
import {
  createMethod,
  type CallHandlers,
  type GrpcMethod,
  type ServerCall,
} from "@fairlead/fabric/grpc/server-call.ts";
import {
  findMethod,
  makePayload,
  readPart,
  sizeOf,
  type Message,
  type Method,
} from "./messages.ts";

const MESSAGE_BYTES_MAX = 4_194_304;
const ECHO_INITIAL = "x-grpc-test-echo-initial";
const ECHO_TRAILING = "x-grpc-test-echo-trailing-bin";
const SERVICE = "grpc.testing.TestService";

function echo(call: ServerCall): OutgoingHttpHeaders {
  const initial = call.headers[ECHO_INITIAL];
  const trailing = call.headers[ECHO_TRAILING];
  if (initial !== undefined) call.begin({ [ECHO_INITIAL]: initial });
  return trailing === undefined ? {} : { [ECHO_TRAILING]: trailing };
}

function failAsAsked(request: Message): void {
  const { code = 0, message = "" } = readPart(request, "response_status");
  if (code !== 0) throw new FabricError(codeOfNumber(Number(code)), String(message));
}

function checkFlag(request: Message, wasCompressed: boolean): void {
  const { value } = readPart(request, "expect_compressed");
  if (value === undefined || value === wasCompressed) return;
  throw new FabricError(
    "invalid_argument",
    `compressed: ${wasCompressed}, expected: ${String(value)}`,
  );
}

/** Sends what a request asks for, one after the other, with the pauses that it wants. */
async function sendAll(call: ServerCall, method: Method, request: Message): Promise<void> {
  const wanted = request["response_parameters"] as readonly Message[];
  for (const { size, interval_us: pauseUs, ...rest } of wanted) {
    if (Number(pauseUs) > 0)
      await new Promise((resolve) => setTimeout(resolve, Number(pauseUs) / 1_000).unref());
    const answer = method.encodeAnswer({ payload: makePayload(Number(size)) });
    if (!call.send(answer, readPart(rest, "compressed")["value"] === true))
      await new Promise<void>((resolve) => call.onRoom(resolve));
  }
}

/** What became of the calls that were given up. */
export interface ServedCases {
  readonly methods: ReadonlyMap<string, GrpcMethod>;
  readonly canceled: () => number;
  /** Bytes of answers that the service had made when it last looked. */
  readonly made: () => number;
}

/** Makes the methods of the service; UnimplementedCall is not among them. */
export function serveCases(): ServedCases {
  let canceled = 0;
  let madeBytes = 0;
  const methods = new Map<string, GrpcMethod>();
  const add = (name: string, open: (call: ServerCall, method: Method) => CallHandlers): void => {
    const method = findMethod(SERVICE, name);
    methods.set(
      method.path,
      createMethod(MESSAGE_BYTES_MAX, (call) => ({
        onCancel: () => void canceled++,
        ...open(call, method),
      })),
    );
  };
  add("EmptyCall", (call) => ({
    onMessage() {
      call.send(Buffer.alloc(0));
      call.end();
    },
  }));
  add("UnaryCall", (call, method) => ({
    onMessage(message, wasCompressed) {
      const request = method.decodeRequest(message);
      checkFlag(request, wasCompressed);
      failAsAsked(request);
      const trailers = echo(call);
      const answer = { payload: makePayload(Number(request["response_size"])) };
      call.send(
        method.encodeAnswer(answer),
        readPart(request, "response_compressed")["value"] === true,
      );
      call.end(undefined, trailers);
    },
  }));
  add("StreamingInputCall", (call, method) => {
    let sum = 0;
    return {
      onMessage(message, wasCompressed) {
        const request = method.decodeRequest(message);
        checkFlag(request, wasCompressed);
        sum += sizeOf(request);
      },
      onEnd() {
        call.send(method.encodeAnswer({ aggregated_payload_size: sum }));
        call.end();
      },
    };
  });
  add("StreamingOutputCall", (call, method) => ({
    onMessage(message) {
      const request = method.decodeRequest(message);
      const counting: ServerCall = {
        ...call,
        send(bytes, compressed) {
          madeBytes += bytes.length;
          return call.send(bytes, compressed);
        },
      };
      void sendAll(counting, method, request).then(() => call.end());
    },
  }));
  add("FullDuplexCall", (call, method) => {
    const trailers = echo(call);
    let last: Promise<void> = Promise.resolve();
    return {
      onMessage(message) {
        const request = method.decodeRequest(message);
        failAsAsked(request);
        last = last.then(() => sendAll(call, method, request));
      },
      onEnd: () => void last.then(() => call.end(undefined, trailers)),
    };
  });
  return { methods, canceled: () => canceled, made: () => madeBytes };
}
