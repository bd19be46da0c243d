// SPDX-License-Identifier: Apache-2.0
// The files of a project, for the pure Compose room. Only reads.
import { open, realpath, stat } from "node:fs/promises";
import type { FileSource } from "#compose/source.ts";

const ABSENT: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"]);

function isAbsent(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && ABSENT.has(String(thrown.code));
}

async function orUndefined<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (thrown) {
    if (isAbsent(thrown)) return undefined;
    throw thrown;
  }
}

/** At most `sizeBytes` of a file; a device or a pipe is read no further either. */
async function readUpTo(path: string, sizeBytes: number): Promise<string> {
  const file = await open(path, "r");
  try {
    const buffer = Buffer.alloc(
      Math.min(sizeBytes, Math.max((await file.stat()).size, 65_536)) + 1,
    );
    let length = 0;
    while (length < buffer.byteLength) {
      const { bytesRead } = await file.read(buffer, length, buffer.byteLength - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.toString("utf8", 0, length);
  } finally {
    await file.close();
  }
}

/** Where the Compose room reads from on this machine. */
export function createDiskSource(): FileSource {
  return {
    readText: (path, sizeMaxBytes) => orUndefined(readUpTo(path, sizeMaxBytes + 1)),
    realPath: (path) => orUndefined(realpath(path)),
    isDirectory: async (path) => (await orUndefined(stat(path)))?.isDirectory() === true,
  };
}
