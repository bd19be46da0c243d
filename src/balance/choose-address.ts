// SPDX-License-Identifier: Apache-2.0
// Which address of a block a service gets. Pure.
import { countAddresses, formatAddress, parseBlock } from "#base/addresses.ts";
import { hashText } from "./hash-text.ts";

/** So many are looked at in a row: a block that full is as good as full. */
const TRIES_MAX = 4_096n;

/**
 * The first free address from where the service's name points: the same service gets the same one again, also of a
 * store that lost everything, unless another has it. Neither the first nor the last of the block. Undefined when none is free.
 */
export function chooseAddress(
  range: string,
  key: string,
  isTaken: (address: string) => boolean,
): string | undefined {
  const block = parseBlock(range);
  if (block === undefined) return undefined;
  const usable = countAddresses(block) - 2n;
  if (usable <= 0n) return undefined;
  const from = BigInt(hashText(key)) % usable;
  for (let i = 0n; i < usable && i < TRIES_MAX; i++) {
    const address = formatAddress(block.family, block.first + 1n + ((from + i) % usable));
    if (!isTaken(address)) return address;
  }
  return undefined;
}
