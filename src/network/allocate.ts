// SPDX-License-Identifier: Apache-2.0
// Address ranges without overlap and network identifiers without clash. Pure: who writes them down does it under the
// condition that nobody else has in between.
import { contains, countAddresses, overlaps, type Block } from "#base/addresses.ts";

/** Network identifiers that Fairlead gives: above Swarm's, which begin at 4,096. */
export const VNI_FIRST = 0x10_0000;
/** A VXLAN header has 24 bits for it. */
const VNI_LAST = 0xff_ffff;

/**
 * The first block of that prefix in the pool that overlaps nothing of `taken`; undefined when there is none. Taken blocks
 * may be of any size and family, and overlap each other.
 */
export function findFreeBlock(
  pool: Block,
  prefix: number,
  taken: readonly Block[],
): Block | undefined {
  if (prefix < pool.prefix) return undefined;
  const size = countAddresses({ ...pool, prefix });
  const sorted = taken
    .filter((block) => overlaps(pool, block))
    .toSorted((a, b) => (a.first < b.first ? -1 : 1));
  let first = pool.first;
  for (const block of sorted) {
    if (first + size <= block.first) break;
    const end = block.first + countAddresses(block);
    // To the next multiple of its size, so that a prefix can name it.
    if (end > first) first = ((end + size - 1n) / size) * size;
  }
  const found = { family: pool.family, first, prefix };
  return contains(pool, found) ? found : undefined;
}

/** The lowest identifier that is free; undefined when all are taken. */
export function findFreeVni(taken: ReadonlySet<number>): number | undefined {
  for (let vni = VNI_FIRST; vni <= VNI_LAST; vni++) if (!taken.has(vni)) return vni;
  return undefined;
}
