// SPDX-License-Identifier: Apache-2.0
// Whether a text is an address, so that a slip is shown with its line and not by the engine.

/** `10.0.0.1`. */
export function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return (
    parts.length === 4 &&
    parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
  );
}

/** `fd00::1`, `::ffff:10.0.0.1`; without a zone. */
export function isIpv6(text: string): boolean {
  const [head = "", tail, ...more] = text.split("::");
  if (more.length > 0) return false;
  const groups = (side: string): string[] => (side === "" ? [] : side.split(":"));
  const all = [...groups(head), ...groups(tail ?? "")];
  // An embedded IPv4 address ends the text: nothing, not even `::`, may follow it.
  const last = tail === "" ? undefined : all.at(-1);
  const embedded = last !== undefined && isIpv4(last);
  const count = all.length + (embedded ? 1 : 0);
  const good = (embedded ? all.slice(0, -1) : all).every((group) =>
    /^[0-9a-fA-F]{1,4}$/.test(group),
  );
  return good && (tail === undefined ? count === 8 : count < 8);
}

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
