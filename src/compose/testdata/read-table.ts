// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";

/** A data file of this folder, as unknown JSON. */
export function readTable(name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));
}
