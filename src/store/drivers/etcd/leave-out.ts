// SPDX-License-Identifier: Apache-2.0
import { endOfPrefix } from "#store/prepare-transaction.ts";

/** Keys from `start` up to but without `end`. */
export interface KeyRange {
  readonly start: string;
  readonly end: string;
}

/** What is left of a range without the keys that begin with `except`: none, one or two ranges, in order. */
export function leaveOut({ start, end }: KeyRange, except?: string): readonly KeyRange[] {
  const least = (a: string, b: string): string => (a < b ? a : b);
  const most = (a: string, b: string): string => (a > b ? a : b);
  const parts =
    except === undefined
      ? [{ start, end }]
      : [
          { start, end: least(end, except) },
          { start: most(start, endOfPrefix(except)), end },
        ];
  return parts.filter((part) => part.start < part.end);
}
