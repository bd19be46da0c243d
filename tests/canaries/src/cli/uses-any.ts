// SPDX-License-Identifier: Apache-2.0
export function read(value: any): string {
  return String(value);
}
