// SPDX-License-Identifier: Apache-2.0
async function answer(): Promise<number> {
  return 42;
}

/** Nobody would hear of a failure. */
export function forget(): void {
  answer();
}
