// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadSync, type ServiceDefinition } from "@grpc/proto-loader";
import fc from "fast-check";
import { readBatch } from "./decode-batch.ts";
import { encodeCompressed, encodeFrame } from "./encode-frame.ts";
import { makeFrame, type Frame } from "./frame.ts";
import { sizeVarint, WireReader, WireWriter } from "./wire.ts";

const PROTO = fileURLToPath(new URL("../../protocol/fabric.proto", import.meta.url));
const loaded = loadSync(PROTO, { keepCase: true, longs: Number, defaults: true, bytes: Buffer });
const Link = (loaded["fairlead.fabric.v1.Fabric"] as ServiceDefinition)["Link"];
assert.ok(Link !== undefined);

interface TheirBatch {
  readonly frames: readonly Record<string, unknown>[];
}

function readAsTheyDo(bytes: Buffer): TheirBatch {
  return Link?.requestDeserialize(bytes) as TheirBatch;
}

const text = fc.string({ maxLength: 20, unit: "grapheme" });
const uint32 = fc.nat(0xffff_ffff);
const map = fc.dictionary(
  text.filter((key) => key !== "__proto__"),
  text,
  { maxKeys: 5 },
);
const frames: fc.Arbitrary<Frame> = fc
  .record({
    kind: fc.nat(6),
    conversation: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    payload: fc.option(fc.uint8Array({ maxLength: 300 }), { nil: undefined }),
    credit: uint32,
    open: fc.option(
      fc.record({
        target: text,
        method: text,
        deadlineMs: uint32,
        caller: text,
        hops: uint32,
        idempotent: fc.boolean(),
        streams: fc.boolean(),
        proof: text,
      }),
      { nil: undefined },
    ),
    status: fc.option(
      fc.record({
        code: uint32,
        message: text,
        reason: text,
        retryable: fc.boolean(),
        facts: map,
        unbegun: fc.boolean(),
      }),
      { nil: undefined },
    ),
    hello: fc.option(
      fc.record({
        version: uint32,
        id: text,
        name: text,
        scope: text,
        encodings: fc.array(fc.constantFrom(1, 2), { maxLength: 3 }),
        windowBytes: uint32,
        payloadBytesMax: uint32,
        ticket: text,
      }),
      { nil: undefined },
    ),
    headers: fc.option(map, { nil: undefined }),
  })
  .map((frame) => makeFrame(frame.kind, frame.conversation, dropUndefined(frame)));

function dropUndefined<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, one]) => one !== undefined),
  ) as Partial<T>;
}

function plain(frame: Frame): unknown {
  const headers =
    frame.headers === undefined || Object.keys(frame.headers).length === 0
      ? undefined
      : { ...frame.headers };
  const payload =
    frame.payload === undefined ? undefined : Buffer.from(frame.payload).toString("hex");
  return JSON.parse(JSON.stringify({ ...frame, payload, headers }));
}

test("a frame is read as it was written, its payload inline or behind it", () => {
  fc.assert(
    fc.property(fc.array(frames, { maxLength: 4 }), fc.boolean(), (list, inline) => {
      const parts = list.flatMap((frame) => [
        encodeFrame(frame, inline),
        ...(inline || frame.payload === undefined ? [] : [frame.payload]),
      ]);
      const read: Frame[] = [];
      assert.equal(
        readBatch(Buffer.concat(parts), (frame) => read.push(frame)),
        undefined,
      );
      assert.deepEqual(read.map(plain), list.map(plain));
    }),
  );
});

test("protobufjs reads what is written here, by fabric.proto", () => {
  fc.assert(
    fc.property(frames, (frame) => {
      const [theirs] = readAsTheyDo(encodeFrame(frame, true)).frames;
      assert.equal(theirs?.["conversation"], frame.conversation);
      assert.equal(theirs["credit"], frame.credit);
      assert.deepEqual(theirs["payload"], Buffer.from(frame.payload ?? []));
      const open = theirs["open"] as Record<string, unknown> | null;
      assert.equal(open?.["method"], frame.open?.method);
      assert.equal(open?.["deadline_ms"], frame.open?.deadlineMs);
      assert.equal(open?.["proof"], frame.open?.proof);
      const hello = theirs["hello"] as Record<string, unknown> | null;
      assert.equal(hello?.["window"], frame.hello?.windowBytes);
      const status = theirs["status"] as Record<string, unknown> | null;
      assert.equal(status?.["message"], frame.status?.message);
    }),
  );
});

test("what protobufjs writes is read here, packed encodings and unknown fields included", () => {
  const bytes = Link?.requestSerialize({
    frames: [
      { kind: "HELLO", hello: { version: 1, id: "a", encodings: ["GZIP", "ZSTD"], window: 7 } },
      { conversation: 2 ** 40, payload: Buffer.from("x"), headers: { traceparent: "00-1" } },
    ],
  });
  const unknown = Buffer.from([0x7a, 2, 1, 1, 0x78, 5]);
  const read: Frame[] = [];
  readBatch(Buffer.concat([bytes ?? unknown, unknown]), (frame) => read.push(frame));
  assert.deepEqual(read[0]?.hello?.encodings, [1, 2]);
  assert.equal(read[0]?.hello?.windowBytes, 7);
  assert.equal(read[1]?.conversation, 2 ** 40);
  assert.deepEqual({ ...read[1].headers }, { traceparent: "00-1" });
});

test("numbers take the bytes that are foretold", () => {
  fc.assert(
    fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (value) => {
      const writer = new WireWriter(Buffer.alloc(16));
      writer.varint(value);
      assert.equal(writer.position, sizeVarint(value));
      assert.equal(new WireReader(writer.bytes, 0, writer.position).varint(), value);
    }),
  );
});

test("a compressed batch is given back as it came", () => {
  const batch = { bytes: Buffer.from("abc"), encoding: 2, sizeBytes: 9 };
  assert.deepEqual(
    readBatch(encodeCompressed(batch), () => assert.fail("there is no frame")),
    batch,
  );
});
