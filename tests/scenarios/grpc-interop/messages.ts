// SPDX-License-Identifier: Apache-2.0
// The messages of the test service, by protobufjs.
import { fileURLToPath } from "node:url";
import { loadSync, type ServiceDefinition } from "@grpc/proto-loader";

const FILES = ["test-service.proto", "health.proto"].map((name) =>
  fileURLToPath(new URL(name, import.meta.url)),
);
const loaded = loadSync(FILES, { keepCase: true, defaults: true, bytes: Buffer, enums: Number });

/** What protobufjs makes of a message. */
export type Message = Readonly<Record<string, unknown>>;

/** A method with its path, and both of its messages as bytes and back. */
export interface Method {
  readonly path: string;
  readonly encodeRequest: (message: Message) => Buffer;
  readonly decodeRequest: (bytes: Buffer) => Message;
  readonly encodeAnswer: (message: Message) => Buffer;
  readonly decodeAnswer: (bytes: Buffer) => Message;
}

/** A method by service and name. */
export function findMethod(service: string, name: string): Method {
  const method = (loaded[service] as ServiceDefinition | undefined)?.[name];
  if (method === undefined) throw new Error(`no method ${service}/${name}`);
  return {
    path: method.path,
    encodeRequest: (message) => method.requestSerialize(message),
    decodeRequest: (bytes) => method.requestDeserialize(bytes) as Message,
    encodeAnswer: (message) => method.responseSerialize(message),
    decodeAnswer: (bytes) => method.responseDeserialize(bytes) as Message,
  };
}

/** A field that is a message; empty where it is not set. */
export function readPart(message: Message, field: string): Message {
  return (message[field] ?? {}) as Message;
}

/** Bytes of a payload; 0 without one. */
export function sizeOf(message: Message): number {
  const { body } = readPart(message, "payload");
  return body instanceof Uint8Array ? body.length : 0;
}

/** A payload of that many zeros. */
export function makePayload(sizeBytes: number): Message {
  return { body: Buffer.alloc(sizeBytes) };
}
