// SPDX-License-Identifier: Apache-2.0

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Bytes in base 64 with padding. This room has neither Buffer nor btoa. */
export function encodeBase64(bytes: Uint8Array): string {
  let out = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const [a = 0, b, c] = bytes.subarray(at, at + 3);
    const group = (a << 16) | ((b ?? 0) << 8) | (c ?? 0);
    out += ALPHABET.charAt(group >> 18) + ALPHABET.charAt((group >> 12) & 63);
    out += b === undefined ? "=" : ALPHABET.charAt((group >> 6) & 63);
    out += c === undefined ? "=" : ALPHABET.charAt(group & 63);
  }
  return out;
}
