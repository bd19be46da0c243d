// SPDX-License-Identifier: Apache-2.0
// Whether a node connects to another itself or through others in between, by what was measured.
import { choosePath, expectTransfer, type PathLink } from "./choose-path.ts";

/** What a message is taken to have, for the comparison: bytes. */
const SIZE_BYTES = 16_384;
/** The way around has to take less than this share of the direct way's time to be begun, and to be kept. */
const BEGIN_SHARE = 0.5;
const KEEP_SHARE = 0.7;
/** And to gain at least so much. */
const GAIN_MS = 2;

export interface WayOptions {
  /** At most so many nodes in between. */
  readonly betweenMax: number;
  /** Whether the way that is in use leads around. */
  readonly isAround: boolean;
}

/**
 * The nodes in between on the way to take: none for the direct way, which is taken unless it is down or far worse.
 * Undefined when there is no way.
 */
export function chooseWay(
  links: readonly PathLink[],
  { from, to }: { readonly from: string; readonly to: string },
  { betweenMax, isAround }: WayOptions,
): readonly string[] | undefined {
  const isDirect = (link: PathLink): boolean =>
    (link.from === from && link.to === to) || (link.from === to && link.to === from);
  const directMs = Math.min(
    ...links.filter(isDirect).map((link) => expectTransfer(link, SIZE_BYTES)),
  );
  const around = choosePath(
    links.filter((link) => !isDirect(link)),
    from,
    to,
    SIZE_BYTES,
  );
  const direct = directMs === Infinity ? undefined : [];
  if (around === undefined || around.hops.length - 1 > betweenMax) return direct;
  const share = isAround ? KEEP_SHARE : BEGIN_SHARE;
  const isFarBetter =
    around.expectedMs < directMs * share && directMs - around.expectedMs > GAIN_MS;
  if (!isFarBetter && direct !== undefined) return direct;
  return around.hops.slice(0, -1).map((hop) => hop.to);
}
