// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";

/** A secret of the node: read from its file, or made on first use, readable by this user only. */
export async function readToken(path: string): Promise<string> {
  try {
    const token = (await readFile(path, "utf8")).trim();
    if (token.length >= 32) return token;
  } catch {
    // The first start: there is none yet.
  }
  const token = randomBytes(32).toString("base64url");
  await writeFile(path, `${token}\n`, { mode: 0o600 });
  return token;
}
