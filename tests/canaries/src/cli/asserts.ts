// SPDX-License-Identifier: Apache-2.0
export function first(list: string[]): string {
  return list[0]!;
}
