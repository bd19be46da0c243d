// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";

/** A data file of testdata/, as unknown JSON. */
export function readTable(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../testdata/${name}`, import.meta.url), "utf8"));
}
