// SPDX-License-Identifier: Apache-2.0
// Whether a text is an address, so that a slip is shown with its line and not by the engine.
import { isIpv4, isIpv6 } from "#base/addresses.ts";

/** An address of either kind. */
export function isAddress(text: string): boolean {
  return isIpv4(text) || isIpv6(text);
}

/** `172.28.0.0/16`, `fd00::/64`. Host bits may be set; the engine takes them. */
export function isCidr(text: string): boolean {
  const [address = "", length = "", ...more] = text.split("/");
  if (more.length > 0 || !/^\d{1,3}$/.test(length)) return false;
  return isIpv4(address) ? Number(length) <= 32 : isIpv6(address) && Number(length) <= 128;
}

/** `02:42:ac:11:00:02`. */
export function isMac(text: string): boolean {
  return /^[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}$/i.test(text);
}
