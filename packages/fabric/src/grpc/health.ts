// SPDX-License-Identifier: Apache-2.0
// The health protocol of gRPC, so that any gRPC client can ask whether this end serves
// (https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
import type { ServerHttp2Stream } from "node:http2";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { WireReader } from "@fairlead/fabric/wire.ts";
import { Deframer, writePrefix } from "./deframer.ts";
import { refuseStream, type GrpcMethod } from "./listen.ts";

export type Health = "serving" | "not-serving" | "service-unknown";

const NUMBERS: Readonly<Record<Health, number>> = {
  serving: 1,
  "not-serving": 2,
  "service-unknown": 3,
};
const REQUEST_BYTES_MAX = 4_096;
const TAG_SERVICE = 0x0a;

function encodeAnswer(health: Health): Buffer {
  const bytes = Buffer.from([0, 0, 0, 0, 0, 0x08, NUMBERS[health]]);
  writePrefix(bytes, bytes.length - 5);
  return bytes;
}

function readService(message: Buffer): string {
  const reader = new WireReader(message);
  let service = "";
  while (reader.more) {
    const tag = reader.varint();
    if (tag === TAG_SERVICE) service = reader.text();
    else reader.skip(tag);
  }
  return service;
}

/** Calls `answer` with the service that is asked for. */
function onRequest(stream: ServerHttp2Stream, answer: (service: string) => void): void {
  const deframer = new Deframer(REQUEST_BYTES_MAX, (message) => answer(readService(message)));
  stream.on("data", (chunk: Buffer) => {
    try {
      deframer.push(chunk);
    } catch (thrown) {
      refuseStream(stream, FabricError.from(thrown, "internal"));
    }
  });
}

function respond(stream: ServerHttp2Stream): void {
  stream.respond(
    { ":status": 200, "content-type": "application/grpc+proto" },
    { waitForTrailers: true },
  );
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
}

/** Makes `Check` and `Watch`; `ask` knows how a service is, "" being the whole. */
export function createHealthMethods(
  ask: (service: string) => Health,
  onChange?: (listener: () => void) => () => void,
): ReadonlyMap<string, GrpcMethod> {
  function check(stream: ServerHttp2Stream): void {
    onRequest(stream, (service) => {
      const health = ask(service);
      if (health === "service-unknown") {
        refuseStream(stream, new FabricError("not_found", `there is no service "${service}"`));
        return;
      }
      respond(stream);
      stream.end(encodeAnswer(health));
    });
  }
  function watch(stream: ServerHttp2Stream): void {
    onRequest(stream, (service) => {
      respond(stream);
      let last: Health | undefined;
      const tell = (): void => {
        const health = ask(service);
        if (health === last || stream.destroyed) return;
        last = health;
        stream.write(encodeAnswer(health));
      };
      tell();
      const stop = onChange?.(tell);
      stream.once("close", () => stop?.());
    });
  }
  return new Map([
    ["/grpc.health.v1.Health/Check", check],
    ["/grpc.health.v1.Health/Watch", watch],
  ]);
}
