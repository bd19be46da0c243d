// SPDX-License-Identifier: Apache-2.0
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** The files of a store in its directory. */
export interface StoreFiles {
  readonly directory: string;
  readonly database: string;
  readonly log: string;
  readonly mark: string;
  /** Process id of the owner. */
  readonly owner: string;
}

/** Their paths; nothing is touched. */
export function locateFiles(directory: string): StoreFiles {
  const database = join(directory, "store.db");
  return {
    directory,
    database,
    log: `${database}-wal`,
    mark: join(directory, "store.mark"),
    owner: join(directory, "store.pid"),
  };
}

/** Creates the directory with mode 0700 and an empty database with mode 0600 where they are missing. */
export function createFiles(files: StoreFiles): void {
  mkdirSync(files.directory, { recursive: true, mode: 0o700 });
  // Never open an existing database here: closing it would drop the locks that this process may hold on it.
  if (!existsSync(files.database)) closeSync(openSync(files.database, "wx", 0o600));
}

/** Makes the names of new files survive a power cut. */
export function syncDirectory(directory: string): void {
  for (const path of [directory, dirname(directory)]) {
    const fd = openSync(path, "r");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }
}

/** Notes this process as the owner. Call only while holding the lock. */
export function writeOwner(files: StoreFiles): void {
  try {
    writeFileSync(files.owner, `${process.pid}\n`, { mode: 0o600 });
  } catch {
    // The lock is what protects; the note only names its holder, and a full disk must not stop a node from starting.
  }
}

/** The process id last noted, or undefined. */
export function readOwner(files: StoreFiles): number | undefined {
  try {
    const pid = Number(readFileSync(files.owner, "utf8").trim());
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Renames what exists of the database, its log and its mark to `<name>.corrupt-<time>`. Returns the new paths. */
export function moveAside(files: StoreFiles, nowMs: number): readonly string[] {
  const time = new Date(nowMs).toISOString().replaceAll(":", "-");
  const moved: string[] = [];
  for (const path of [files.database, files.log, files.mark]) {
    if (!existsSync(path)) continue;
    const target = `${path}.corrupt-${time}`;
    renameSync(path, target);
    moved.push(target);
  }
  if (moved.length > 0) syncDirectory(files.directory);
  return moved;
}
