// SPDX-License-Identifier: Apache-2.0
import type { Random } from "./clock.ts";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/**
 * An id that sorts by time: prefix, 9 characters of milliseconds, 5 of randomness, in Crockford's base 32.
 * `dec_0K9F2Q7V3M4T2A`. Two ids of one millisecond collide with probability 2^-25.
 */
export function createId(prefix: string, nowMs: number, random: Random): string {
  let time = "";
  for (let rest = Math.floor(nowMs), i = 0; i < 9; i++) {
    time = ALPHABET.charAt(rest % 32) + time;
    rest = Math.floor(rest / 32);
  }
  let tail = "";
  for (let i = 0; i < 5; i++) tail += ALPHABET.charAt(Math.floor(random() * 32));
  return `${prefix}_${time}${tail}`;
}
