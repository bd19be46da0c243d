// SPDX-License-Identifier: Apache-2.0
/** A thrown text has no stack, code or remedy. */
export function fail(): never {
  throw "it failed";
}
