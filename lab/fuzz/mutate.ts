// SPDX-License-Identifier: Apache-2.0
import type { Random } from "#base/clock.ts";
import { createSeededRandom } from "#store/testing/seeded-random.ts";

/** Bytes that hurt: ends of ranges, compression pointers, long labels. */
const EVIL = [0x00, 0x01, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff];

/** Integers from 0 to below `end`. */
export type Below = (end: number) => number;

/** Makes `below` of a source of chance. */
export function createBelow(random: Random): Below {
  return (end) => Math.floor(random() * end);
}

/** One of a list that is not empty. */
export function pickOne<T>(list: readonly [T, ...T[]], below: Below): T {
  return list[below(list.length)] ?? list[0];
}

/** So many random bytes. */
export function makeBytes(count: number, below: Below): Buffer {
  return Buffer.from(Array.from({ length: count }, () => below(256)));
}

/** A function that makes one to six random changes to a message: bits, bytes, cuts, repeats, insertions. */
export function createMutator(seed: number): (sample: Buffer) => Buffer {
  const below = createBelow(createSeededRandom(seed));
  const deeds: ((bytes: Buffer) => Buffer)[] = [
    (bytes) => {
      const at = below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
      return bytes;
    },
    (bytes) => {
      bytes[below(bytes.length)] = EVIL[below(EVIL.length)] ?? 0;
      return bytes;
    },
    (bytes) => {
      bytes[below(bytes.length)] = below(256);
      return bytes;
    },
    (bytes) => bytes.subarray(0, below(bytes.length + 1)),
    (bytes) => {
      const at = below(bytes.length);
      const end = at + below(Math.min(40, bytes.length - at));
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
    },
    (bytes) => {
      const at = below(bytes.length);
      return Buffer.concat([
        bytes.subarray(0, at),
        makeBytes(below(12), below),
        bytes.subarray(at),
      ]);
    },
  ];
  return (sample) => {
    let bytes: Buffer = Buffer.from(sample);
    for (let changes = 1 + below(6); changes > 0 && bytes.length > 0; changes--)
      bytes = deeds[below(deeds.length)]?.(bytes) ?? bytes;
    return bytes;
  };
}
