// SPDX-License-Identifier: Apache-2.0
// Makes the files of a bundle in a directory: all at the same time, each within its bounds, none of them a reason to fail.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FairleadError } from "#base/errors.ts";
import { cliErrors } from "#cli/errors.ts";
import { hideInDocument, hideInLog } from "./hide-secrets.ts";
import { FILE_BYTES, PART_MS } from "./limits.ts";
import type { Collected, Ground, Part } from "./part.ts";

type Mask = (text: string) => string;

function render(file: string, value: unknown, mask: Mask): string {
  if (typeof value !== "string")
    return `${JSON.stringify(hideInDocument(value, mask), undefined, 1)}\n`;
  return file.endsWith(".log") ? hideInLog(value, mask) : `${mask(value)}\n`;
}

/** A list without those of its items that do not fit: the newest come first. */
function shorten(value: unknown, text: string): unknown {
  if (typeof value !== "object" || value === null || !("items" in value)) return undefined;
  const { items } = value;
  if (!Array.isArray(items)) return undefined;
  const share = FILE_BYTES / Buffer.byteLength(text) / 2;
  return { ...value, items: items.slice(0, Math.floor(items.length * share)) };
}

/** The text within its bound, and how much of it was cut off. */
function bound(file: string, value: unknown, mask: Mask): { text: string; cutBytes: number } {
  const text = render(file, value, mask);
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes <= FILE_BYTES) return { text, cutBytes: 0 };
  const fewer = shorten(value, text);
  const kept =
    fewer === undefined
      ? Buffer.from(text).subarray(0, FILE_BYTES).toString("utf8")
      : render(file, fewer, mask);
  return { text: kept, cutBytes: sizeBytes - Buffer.byteLength(kept) };
}

function readMissing(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null || !("missing" in value)) return [];
  return Array.isArray(value.missing) ? value.missing.map(String) : [];
}

async function within<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const late = new AbortController();
  const either = AbortSignal.any([signal, late.signal]);
  const timer = sleep(PART_MS, undefined, { signal: either, ref: true }).then(() => {
    throw new FairleadError(
      cliErrors["part-unreadable"],
      `it took longer than ${PART_MS / 1_000} s`,
    );
  });
  try {
    return await Promise.race([work, timer]);
  } finally {
    late.abort();
    timer.catch(() => undefined);
  }
}

/** Writes the files into the directory, and says how each came out, in the order of the parts. */
export function collect(
  parts: readonly Part[],
  ground: Ground,
  { directory, mask }: { readonly directory: string; readonly mask: Mask },
): Promise<readonly Collected[]> {
  return Promise.all(
    parts.map(async ({ file, read }): Promise<Collected> => {
      const startedMs = performance.now();
      const took = () => Math.round(performance.now() - startedMs);
      try {
        const late = AbortSignal.any([ground.signal, AbortSignal.timeout(PART_MS)]);
        const value = await within(read({ ...ground, signal: late }), ground.signal);
        const { text, cutBytes } = bound(file, value, mask);
        writeFileSync(join(directory, file), text, { mode: 0o600 });
        const missing = readMissing(value);
        return {
          file,
          sizeBytes: Buffer.byteLength(text),
          tookMs: took(),
          ...(missing.length === 0 ? {} : { missing: missing.map(mask) }),
          ...(cutBytes === 0 ? {} : { cutBytes }),
        };
      } catch (thrown) {
        ground.context.signal.throwIfAborted();
        const said = thrown instanceof Error ? thrown.message : String(thrown);
        const id = thrown instanceof FairleadError ? `${thrown.kind.id} ` : "";
        return { file, sizeBytes: 0, tookMs: took(), problem: mask(`${id}${said}`) };
      }
    }),
  );
}
