// SPDX-License-Identifier: Apache-2.0
// A JSON body, read whole. The engine takes keys in any case and the last of two; so a key that comes twice, in whatever
// case, is refused, and what the engine gets is written anew from what was read.
import type { IncomingMessage } from "node:http";
import { refuseForm } from "./deny.ts";
import { iterateKept } from "./limit-bytes.ts";

/** Largest body that is read into memory. */
export const BODY_BYTES_MAX = 1024 * 1024;
const DEPTH_MAX = 32;
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s"{}[\]:,]+/gs;

/** The first key that comes twice in one object, or how deep is too deep. The text is JSON. */
function findAmbiguity(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  let before = "";
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(undefined);
    else if (token === "}" || token === "]") open.pop();
    else if (token === ":") {
      const key = JSON.parse(before) as string;
      // Go folds with Unicode: K of Kelvin and long s among them.
      const folded = key.normalize("NFKC").toLowerCase();
      const keys = open.at(-1);
      if (keys?.has(folded) === true) return `the key ${key.slice(0, 60)} comes twice`;
      keys?.add(folded);
    }
    if (open.length > DEPTH_MAX) return "it is nested too deep";
    before = token;
  }
  return undefined;
}

/** The bytes of a body. Throws FL1902 when there are too many. */
export async function readBytes(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of iterateKept(request)) {
    sizeBytes += chunk.length;
    if (sizeBytes > BODY_BYTES_MAX) refuseForm(`the body is larger than ${BODY_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A JSON object; an empty body is an empty one. Throws FL1902. */
export function parseBody(bytes: Buffer): Readonly<Record<string, unknown>> {
  if (bytes.length === 0) return {};
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch {
    return refuseForm("the body is not JSON");
  }
  if (value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) return refuseForm("the body is no object");
  const ambiguity = findAmbiguity(text);
  if (ambiguity !== undefined) refuseForm(`the body is ambiguous: ${ambiguity}`);
  return value as Readonly<Record<string, unknown>>;
}
