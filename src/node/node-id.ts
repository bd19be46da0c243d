// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import { findPlaces, locateNodeFiles } from "#config/node-files.ts";
import type { Settings } from "#config/settings.ts";
import { readToken } from "./token-file.ts";

const NAME_CHARS = 50;
const MARK_CHARS = 8;

/** Name of this node among others: the same in every life, and another one on a host of the same name. */
export async function readNodeId(settings: Settings): Promise<string> {
  const { nodeName } = settings;
  const secret = await readToken(locateNodeFiles(findPlaces(settings)).fabricSecret);
  const mark = createHash("sha256").update(`discovery ${secret}`).digest("hex");
  return `${nodeName.slice(0, NAME_CHARS)}-${mark.slice(0, MARK_CHARS)}`;
}
