// SPDX-License-Identifier: Apache-2.0
// The health protocol of gRPC, so that any gRPC client can ask whether this end serves
// (https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
import { FabricError } from "@fairlead/fabric/errors.ts";
import { WireReader } from "@fairlead/fabric/wire.ts";
import {
  createMethod,
  type CallHandlers,
  type GrpcMethod,
  type ServerCall,
} from "./server-call.ts";

export type Health = "serving" | "not-serving" | "service-unknown";

const NUMBERS: Readonly<Record<Health, number>> = {
  serving: 1,
  "not-serving": 2,
  "service-unknown": 3,
};
const REQUEST_BYTES_MAX = 4_096;
const TAG_SERVICE = 0x0a;

const encodeAnswer = (health: Health): Buffer => Buffer.from([0x08, NUMBERS[health]]);

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

/** Makes `Check` and `Watch`; `ask` knows how a service is, "" being the whole. */
export function createHealthMethods(
  ask: (service: string) => Health,
  onChange?: (listener: () => void) => () => void,
): ReadonlyMap<string, GrpcMethod> {
  const check = (call: ServerCall): CallHandlers => ({
    onMessage(message) {
      const service = readService(message);
      const health = ask(service);
      if (health === "service-unknown")
        throw new FabricError("not_found", `there is no service "${service}"`);
      call.send(encodeAnswer(health));
      call.end();
    },
  });
  const watch = (call: ServerCall): CallHandlers => {
    let stop: (() => void) | undefined;
    return {
      onMessage(message) {
        if (stop !== undefined)
          throw new FabricError("invalid_argument", "one service is asked for");
        const service = readService(message);
        let last: Health | undefined;
        const tell = (): void => {
          const health = ask(service);
          if (health !== last) call.send(encodeAnswer(health));
          last = health;
        };
        stop = onChange?.(tell) ?? (() => undefined);
        tell();
      },
      onCancel: () => stop?.(),
    };
  };
  return new Map([
    ["/grpc.health.v1.Health/Check", createMethod(REQUEST_BYTES_MAX, check)],
    ["/grpc.health.v1.Health/Watch", createMethod(REQUEST_BYTES_MAX, watch)],
  ]);
}
