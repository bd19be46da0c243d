// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { demultiplex, splitLines } from "./frames.ts";

function toFrame(stream: number, text: string): Buffer {
  const body = Buffer.from(text);
  const head = Buffer.alloc(8);
  head[0] = stream;
  head.writeUInt32BE(body.length, 4);
  return Buffer.concat([head, body]);
}

async function* cut(bytes: Buffer, sizeBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += sizeBytes) yield bytes.subarray(at, at + sizeBytes);
}

test("lines come out whole however frames and chunks are cut", async () => {
  const line = fc.string({ unit: fc.constantFrom("a", "é", "字", "😀", " ") });
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.integer({ min: 1, max: 40 }), async (lines, size) => {
      const frames = Buffer.concat(lines.map((text) => toFrame(1, `${text}\n`)));
      const out = await Array.fromAsync(splitLines(demultiplex(cut(frames, size), false)));
      assert.deepEqual(
        out,
        lines.map((text) => ({ stream: "stdout", text })),
      );
    }),
  );
});

test("a line split over frames of its stream is joined past the other stream's", async () => {
  const frames = Buffer.concat([toFrame(1, "ab"), toFrame(2, "err\n"), toFrame(1, "cd\n")]);
  const out = await Array.fromAsync(splitLines(demultiplex(cut(frames, 5), false)));
  assert.deepEqual(out, [
    { stream: "stderr", text: "err" },
    { stream: "stdout", text: "abcd" },
  ]);
});

test("a terminal's bytes are lines without a carriage return", async () => {
  const out = await Array.fromAsync(
    splitLines(demultiplex(cut(Buffer.from("one\r\ntwo"), 3), true)),
  );
  assert.deepEqual(
    out.map(({ text }) => text),
    ["one", "two"],
  );
});

test("a line without an end is cut at 256 KiB", async () => {
  const bytes = Buffer.alloc(1024 * 1024, "x");
  const out = await Array.fromAsync(splitLines(demultiplex(cut(bytes, 65_536), true)));
  assert.ok(out.every(({ text }) => text.length <= 256 * 1024));
});
