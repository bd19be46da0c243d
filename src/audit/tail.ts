// SPDX-License-Identifier: Apache-2.0
// The file that lines are added to. A write is whole and on disk, or the file is as it was before.
import { open, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { FairleadError } from "#base/errors.ts";
import { auditErrors } from "./errors.ts";
import { nameFile } from "./files.ts";

/** Beyond this a new file begins. */
export const FILE_BYTES_MAX = 16 * 1024 * 1024;

/** A file open for adding lines. */
export interface Tail {
  readonly name: string;
  readonly sizeBytes: number;
  /** Adds bytes and waits until they are on disk. When it rejects, the file has none of them. */
  add(bytes: Buffer): Promise<void>;
  /** False when somebody replaced, removed, cut or lengthened the file. */
  isOurs(): Promise<boolean>;
  close(): Promise<void>;
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** Opens a file at the length up to which its lines are whole; what stands behind is cut off. */
export async function openTail(directory: string, name: string, keepBytes: number): Promise<Tail> {
  const path = join(directory, name);
  const handle = await open(path, "r+");
  let sizeBytes = keepBytes;
  await handle.truncate(sizeBytes);
  return {
    name,
    get sizeBytes() {
      return sizeBytes;
    },
    async add(bytes) {
      try {
        await writeAll(handle, bytes, sizeBytes);
        await handle.datasync();
      } catch (error) {
        await handle.truncate(sizeBytes);
        throw error;
      }
      sizeBytes += bytes.length;
    },
    async isOurs() {
      try {
        const [own, there] = await Promise.all([handle.stat(), stat(path)]);
        return own.ino === there.ino && own.dev === there.dev && there.size === sizeBytes;
      } catch {
        return false;
      }
    },
    close: () => handle.close(),
  };
}

/** Begins the file whose first line is `seq`. Never touches one that has lines. */
export async function beginTail(directory: string, seq: number): Promise<Tail> {
  const name = nameFile(seq);
  const handle = await open(join(directory, name), "a", 0o600);
  try {
    const { size } = await handle.stat();
    if (size > 0) throw new FairleadError(auditErrors["audit-unwritable"], `${name} has lines`);
  } finally {
    await handle.close();
  }
  await syncDirectory(directory);
  return openTail(directory, name, 0);
}
