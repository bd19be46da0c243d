// SPDX-License-Identifier: Apache-2.0
// Alone, since every command needs it: beside what reads settings it would load their schema and a YAML parser each time.
import { readFileSync } from "node:fs";

/** The text of a file, or undefined when there is none. Throws when it cannot be read. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return undefined;
    throw thrown;
  }
}
