// SPDX-License-Identifier: Apache-2.0

/** Numbers in [0, 1), the same ones for the same seed (mulberry32). */
export function createSeededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Bytes that hurt: ends of ranges, compression pointers, long labels. */
const EVIL = [0x00, 0x01, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff];

/** A function that makes one to six random changes to a message: bits, bytes, cuts, repeats, insertions. */
export function createMutator(seed: number): (sample: Buffer) => Buffer {
  const random = createSeededRandom(seed);
  const below = (end: number): number => Math.floor(random() * end);
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
      const extra = Buffer.from(Array.from({ length: below(12) }, () => below(256)));
      return Buffer.concat([bytes.subarray(0, at), extra, bytes.subarray(at)]);
    },
  ];
  return (sample) => {
    let bytes: Buffer = Buffer.from(sample);
    for (let changes = 1 + below(6); changes > 0 && bytes.length > 0; changes--)
      bytes = deeds[below(deeds.length)]?.(bytes) ?? bytes;
    return bytes;
  };
}
