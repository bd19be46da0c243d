// SPDX-License-Identifier: Apache-2.0
// What comes over a link before it means anything: frames, the messages of gRPC around them, compressed batches.
import { gzipSync, zstdCompressSync } from "node:zlib";
import { decompressBatch } from "@fairlead/fabric/compression.ts";
import { readBatch } from "@fairlead/fabric/decode-batch.ts";
import { FabricError, type FabricCode } from "@fairlead/fabric/errors.ts";
import { Deframer, writePrefix } from "@fairlead/fabric/grpc/deframer.ts";
import { createSeededRandom } from "#store/testing/seeded-random.ts";
import { makeBatch } from "./frames.ts";
import { createBelow, createMutator, makeBytes, type Below } from "./mutate.ts";
import type { FuzzTarget, Outcome } from "./target.ts";

const MB = 1_048_576;
const MESSAGE_BYTES_MAX = 4_096;

/** Runs `read`; a refusal has to be one of these codes. */
function attempt(codes: readonly FabricCode[], read: () => void): Outcome {
  try {
    read();
    return "taken";
  } catch (thrown) {
    if (thrown instanceof FabricError && codes.includes(thrown.code)) return "refused";
    throw thrown;
  }
}

/** Batches of frames. */
export const frames: FuzzTarget = {
  name: "frames",
  about: "changed and random bytes as a batch: frames, or invalid_argument",
  open(seed) {
    const below = createBelow(createSeededRandom(seed));
    const mutate = createMutator(seed + 1);
    return {
      attempt(index) {
        const bytes = index % 4 === 0 ? makeBytes(below(100), below) : mutate(makeBatch(below));
        return attempt(["invalid_argument"], () => void readBatch(bytes, () => undefined));
      },
    };
  },
};

function makeMessages(below: Below): readonly Buffer[] {
  return Array.from({ length: below(5) }, () => {
    const bytes = Buffer.alloc(5 + below(below(20) === 0 ? MESSAGE_BYTES_MAX : 40), below(256));
    writePrefix(bytes, bytes.length - 5, below(10) === 0);
    return bytes;
  });
}

/** The messages of gRPC, cut up as a network cuts them. */
export const deframer: FuzzTarget = {
  name: "deframer",
  about:
    "length-prefixed messages in pieces: whole ones come out as they went in, changed ones are cut or refused",
  open(seed) {
    const below = createBelow(createSeededRandom(seed));
    const mutate = createMutator(seed + 1);
    return {
      attempt(index) {
        const messages = makeMessages(below);
        const whole = Buffer.concat(messages);
        const isWhole = index % 3 === 0;
        const bytes = isWhole ? whole : mutate(whole);
        const out: Buffer[] = [];
        const reading = new Deframer(MESSAGE_BYTES_MAX, (message) => void out.push(message));
        const outcome = attempt(["internal", "resource_exhausted"], () => {
          for (let at = 0; at < bytes.length;) {
            const end = at + 1 + below(below(2) === 0 ? 6 : 2_000);
            // A copy: a network's buffer is not ours to look back into.
            reading.push(Buffer.from(bytes.subarray(at, end)));
            at = end;
          }
        });
        if (out.some((message) => message.length > MESSAGE_BYTES_MAX))
          throw new Error("a message above the limit was given out");
        if (!isWhole) return outcome;
        const sent = messages.map((message) => message.subarray(5));
        const isSame = sent.length === out.length && Buffer.concat(sent).equals(Buffer.concat(out));
        if (outcome !== "taken" || !isSame || !reading.idle)
          throw new Error(`not as they went in: ${bytes.toString("hex")}`);
        return outcome;
      },
    };
  },
};

/** Every so many inputs, one that unpacks to the largest batch there may be. */
const BOMB_EVERY = 20_000;

/** Compressed batches, bombs among them. */
export const compression: FuzzTarget = {
  name: "compression",
  about:
    "changed gzip and zstd, wrong sizes and bombs: a batch as large as it said, or a refusal before it is unpacked",
  open(seed) {
    const below = createBelow(createSeededRandom(seed));
    const mutate = createMutator(seed + 1);
    const plain = [Buffer.alloc(0), makeBytes(2_000, below), Buffer.from("fleet ".repeat(500))];
    const samples = plain.flatMap((bytes) => [
      { bytes: gzipSync(bytes), encoding: 1, sizeBytes: bytes.length },
      { bytes: zstdCompressSync(bytes), encoding: 2, sizeBytes: bytes.length },
    ]);
    const huge = Buffer.alloc(64 * MB);
    const bombs = [
      { bytes: gzipSync(huge), encoding: 1, sizeBytes: 0 },
      { bytes: zstdCompressSync(huge), encoding: 2, sizeBytes: 0 },
    ];
    return {
      attempt(index) {
        const isBomb = index % BOMB_EVERY === 0;
        const list = isBomb || below(50) === 0 ? bombs : samples;
        const sample = list[below(list.length)] ?? { bytes: huge, encoding: 0, sizeBytes: 0 };
        const claims = [sample.sizeBytes, below(4_000), 2 ** 32 - 1, 33 * MB];
        const sizeBytes = isBomb ? 32 * MB : (claims[below(claims.length)] ?? 0);
        const bytes = isBomb || list === bombs ? sample.bytes : mutate(sample.bytes);
        const encoding = below(20) === 0 ? below(5) : sample.encoding;
        return attempt(["invalid_argument", "resource_exhausted", "unimplemented"], () => {
          const out = decompressBatch({ bytes, encoding, sizeBytes }, 32 * MB);
          if (out.length !== sizeBytes) throw new Error("not as large as it said");
        });
      },
    };
  },
};
