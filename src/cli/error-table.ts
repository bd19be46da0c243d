// SPDX-License-Identifier: Apache-2.0
// Every kind of error of every room, generated: the cli may not import most rooms.
import { readFileSync } from "node:fs";

export interface DocumentedError {
  readonly id: string;
  readonly slug: string;
  readonly code: string;
  readonly room: string;
  readonly cause: string;
  readonly remedy: string;
}

/** All kinds of error, by id. */
export function readErrorTable(): readonly DocumentedError[] {
  const table: readonly DocumentedError[] = JSON.parse(
    readFileSync(new URL("./generated/errors.json", import.meta.url), "utf8"),
  );
  return table;
}
