// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import type { Settings } from "#config/settings.ts";
import { readToken } from "./token-file.ts";

const NAME_CHARS = 50;
const MARK_CHARS = 8;

/** Name of this node among others: the same in every life, and another one on a host of the same name. */
export async function readNodeId({
  stateDir,
  nodeName,
}: Pick<Settings, "stateDir" | "nodeName">): Promise<string> {
  const secret = await readToken(stateDir, "fabric-secret");
  const mark = createHash("sha256").update(`discovery ${secret}`).digest("hex");
  return `${nodeName.slice(0, NAME_CHARS)}-${mark.slice(0, MARK_CHARS)}`;
}
