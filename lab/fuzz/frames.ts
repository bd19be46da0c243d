// SPDX-License-Identifier: Apache-2.0
// Frames of the fabric, well formed: what the targets below break, or send in an order that nobody would.
import { encodeFrame } from "@fairlead/fabric/encode-frame.ts";
import { makeFrame, type Frame, type Headers } from "@fairlead/fabric/frame.ts";
import { makeBytes, pickOne, type Below } from "./mutate.ts";

const WORDS = [
  "",
  "a",
  "shop",
  "web/call",
  "$node/join",
  "é🙂",
  "x".repeat(70),
  "__proto__",
] as const;
const NUMBERS = [0, 1, 2, 127, 128, 65_535, 2 ** 31 - 1, 2 ** 32 - 1] as const;

function makeHeaders(below: Below): Headers {
  const count = below(4);
  return Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      `${pickOne(WORDS, below)}${i}`,
      pickOne(WORDS, below),
    ]),
  );
}

/** A frame with any of its fields set, of any kind. */
export function makeAnyFrame(below: Below): Frame {
  const has = (): boolean => below(3) === 0;
  const word = (): string => pickOne(WORDS, below);
  const number = (): number => pickOne(NUMBERS, below);
  return makeFrame(below(8), number(), {
    credit: number(),
    ...(has() ? { payload: makeBytes(below(60), below) } : {}),
    ...(has() ? { headers: makeHeaders(below) } : {}),
    ...(has()
      ? {
          open: {
            target: word(),
            method: word(),
            deadlineMs: number(),
            caller: word(),
            hops: number(),
            idempotent: has(),
            streams: has(),
            proof: word(),
          },
        }
      : {}),
    ...(has()
      ? {
          status: {
            code: number(),
            message: word(),
            reason: word(),
            retryable: has(),
            facts: makeHeaders(below),
            unbegun: has(),
          },
        }
      : {}),
    ...(has() ? { hello: makeHello(below, word()) } : {}),
  });
}

/** A Hello that says such an id. */
export function makeHello(below: Below, id: string): NonNullable<Frame["hello"]> {
  return {
    version: below(20) === 0 ? 2 : 1,
    id,
    name: pickOne(["web", "api", "worker"], below),
    scope: pickOne(["shop", "other"], below),
    encodings: pickOne([[], [1], [1, 2], [7]], below),
    windowBytes: pickOne([0, 100, 65_536, 1_048_576], below),
    payloadBytesMax: pickOne([0, 1_000, 16_777_216], below),
    ticket: "",
  };
}

/** One to three frames as the bytes of a batch. */
export function makeBatch(below: Below): Buffer {
  const frames = Array.from({ length: 1 + below(3) }, () => makeAnyFrame(below));
  return Buffer.concat(frames.map((frame) => encodeFrame(frame, true)));
}
