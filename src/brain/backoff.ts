// SPDX-License-Identifier: Apache-2.0

const FIRST_MS = 250;
const CAP_MS = 60_000;

/**
 * Wait before act number `consecutive` + 1 in a row: none before the first, then 250 ms doubling to 60 s, each
 * stretched by up to a fifth so that a fleet does not march in step. The stretch follows from `seed`: no randomness.
 */
export function computeBackoff(consecutive: number, seed: string): number {
  if (consecutive <= 0) return 0;
  const baseMs = Math.min(CAP_MS / 1.2, FIRST_MS * 2 ** Math.min(consecutive - 1, 20));
  let mix = 2_166_136_261 ^ consecutive;
  for (let i = 0; i < seed.length; i++) mix = Math.imul(mix ^ seed.charCodeAt(i), 16_777_619);
  return Math.round(baseMs * (1 + 0.2 * ((mix >>> 0) / 2 ** 32)));
}
