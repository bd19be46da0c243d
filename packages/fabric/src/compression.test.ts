// SPDX-License-Identifier: Apache-2.0
// Compression costs time, so it is for what shrinks.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { createCompressor } from "./compression.ts";
import { ENCODING } from "./frame.ts";
import { Link } from "./link.ts";
import { createMemoryTransports } from "./memory-transport.ts";
import { HEADROOM, type Transport } from "./transport.ts";

const SIZE = 65_536;
const noise = randomBytes(SIZE);
const text = Buffer.alloc(SIZE, "the same words again and again. ");

function compressWith(compress: ReturnType<typeof createCompressor>, payload: Buffer) {
  const part = Buffer.concat([Buffer.alloc(HEADROOM), payload]);
  return compress?.([part], payload.length, payload.length);
}

for (const [name, encoding] of Object.entries(ENCODING).filter(([, one]) => one !== 0)) {
  test(`${name}: what does not shrink is sent as it is, and what follows is not tried for a while`, () => {
    const compress = createCompressor([encoding]);
    assert.ok((compressWith(compress, text)?.length ?? SIZE) < SIZE / 10);
    assert.equal(compressWith(compress, noise), undefined);
    for (let batch = 0; batch < 16; batch++) assert.equal(compressWith(compress, text), undefined);
    assert.ok(compressWith(compress, text) !== undefined);
  });

  test(`${name}: what is small is not tried`, () => {
    const compress = createCompressor([encoding]);
    assert.equal(compressWith(compress, text.subarray(0, 1_000)), undefined);
  });
}

/** Counts what a transport is given to send. */
function countBytes(transport: Transport): { readonly transport: Transport; sentBytes: number } {
  const counted = {
    sentBytes: 0,
    transport: {
      ...transport,
      send(parts: readonly Uint8Array[], sizeBytes: number) {
        counted.sentBytes += sizeBytes;
        return transport.send(parts, sizeBytes);
      },
    },
  };
  return counted;
}

test("on a link that compresses, noise takes its own size and text a tenth of it", async () => {
  const [first, far] = createMemoryTransports();
  const near = countBytes(first);
  const arrived: Buffer[] = [];
  new Link({
    transport: far,
    dialled: false,
    self: { id: "far", name: "far", scope: "test" },
    accept(conversation) {
      arrived.push(Buffer.from(conversation.first ?? []));
      conversation.end();
    },
  });
  const link = new Link({
    transport: near.transport,
    dialled: true,
    self: { id: "near", name: "near", scope: "test" },
    accept: () => undefined,
    compress: "always",
  });
  await link.ready;
  async function send(payload: Buffer): Promise<number> {
    const before = near.sentBytes;
    const open = { target: "", method: "x", deadlineMs: 0, caller: "", proof: "" };
    const rest = { hops: 0, idempotent: false, streams: false };
    const conversation = link.open({ ...open, ...rest }, { payload });
    await new Promise<void>((resolve) => {
      conversation.handlers = {
        onItem: () => undefined,
        onEnd: () => resolve(),
        onCancel: () => undefined,
        onRoom: () => undefined,
      };
    });
    return near.sentBytes - before;
  }
  const [textBytes, noiseBytes] = [await send(text), await send(noise)];
  assert.ok(textBytes < SIZE / 10, `${textBytes} bytes for ${SIZE} of text`);
  assert.ok(noiseBytes >= SIZE && noiseBytes < SIZE + 200, `${noiseBytes} bytes of noise`);
  assert.deepEqual(arrived, [text, noise]);
  link.close();
});
