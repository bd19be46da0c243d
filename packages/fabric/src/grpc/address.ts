// SPDX-License-Identifier: Apache-2.0

const LOCAL = /^(?:unix:|127\.|\[?::1\]?:|\[?::ffff:127\.|localhost:)/;

/** Whether an address is on this machine, as far as it shows. */
export function isLocalAddress(address: string): boolean {
  return LOCAL.test(address);
}
