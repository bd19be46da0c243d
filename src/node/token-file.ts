// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A secret of the node: read from the state directory, or made on first use, readable by this user only. */
export async function readToken(
  stateDir: string,
  name: "token" | "fabric-secret",
): Promise<string> {
  const path = join(stateDir, name);
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
