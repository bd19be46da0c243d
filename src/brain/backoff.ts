// SPDX-License-Identifier: Apache-2.0

const FIRST_MS = 250;
const CAP_MS = 60_000;

/** A number in [0, 1) that follows from `seed`; near seeds (`web-1`, `web-2`) give far numbers. */
function spread(seed: string): number {
  let mix = 2_166_136_261;
  for (let i = 0; i < seed.length; i++) mix = Math.imul(mix ^ seed.charCodeAt(i), 16_777_619);
  // The last characters have reached only the low bits so far.
  mix = Math.imul(mix ^ (mix >>> 16), 0x85ebca6b);
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35);
  return ((mix ^ (mix >>> 16)) >>> 0) / 2 ** 32;
}

/**
 * Wait before act number `consecutive` + 1 in a row: none before the first, then 250 ms doubling to 60 s, each
 * stretched by up to a fifth so that a fleet does not march in step. The stretch follows from `seed`: no randomness.
 */
export function computeBackoff(consecutive: number, seed: string): number {
  if (consecutive <= 0) return 0;
  const baseMs = Math.min(CAP_MS / 1.2, FIRST_MS * 2 ** Math.min(consecutive - 1, 20));
  return Math.round(baseMs * (1 + 0.2 * spread(`${seed} ${consecutive}`)));
}
