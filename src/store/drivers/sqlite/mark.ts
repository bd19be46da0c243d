// SPDX-License-Identifier: Apache-2.0
// The last acknowledged revision, in a small file of its own. SQLite opens cleanly when the tail of its log was cut or
// damaged, and then misses the newest commits; a database that is older than this mark has lost acknowledged changes.
// The mark is written after the commit is on disk and never synced itself: after a power cut it may be older than the
// database, never newer.
import { closeSync, constants, fsyncSync, openSync, readSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import type { Revision } from "#store/store.ts";

const LENGTH = 32;

export interface Mark {
  /** What the file said when it was opened; undefined when it was new or unreadable. */
  readonly found: Revision | undefined;
  write(revision: Revision): void;
  close(): void;
}

/** Opens or creates the file with mode 0600. */
export function openMark(path: string): Mark {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  const buffer = Buffer.alloc(LENGTH);
  const length = readSync(fd, buffer, 0, LENGTH, 0);
  const found = parseMark(buffer.toString("latin1", 0, length));
  return {
    found,
    write(revision) {
      try {
        writeSync(fd, renderMark(revision), 0, "latin1");
      } catch {
        // An old mark only means that less can be detected; the commit itself is on disk.
      }
    },
    close() {
      try {
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    },
  };
}

function renderMark(revision: Revision): string {
  const text = String(revision).padStart(20, "0");
  return `${text} ${crc32(text).toString(16).padStart(8, "0")}\n`;
}

function parseMark(text: string): Revision | undefined {
  const match = /^(\d{20}) [0-9a-f]{8}\n/.exec(text);
  if (match === null) return undefined;
  const revision = Number(match[1]);
  return text.startsWith(renderMark(revision)) ? revision : undefined;
}
