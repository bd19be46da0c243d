// SPDX-License-Identifier: Apache-2.0
// A tar of a few files in memory, in the ustar format with pax names where they are long.
import type { FileEntry } from "#engine/engine.ts";

const BLOCK = 512;
const NAME_BYTES_MAX = 100;
/** What seven octal digits hold; greater ids stand in a pax record. */
const ID_MAX = 0o7777777;

function writeHeader(
  name: string,
  type: string,
  sizeBytes: number,
  entry: Pick<FileEntry, "mode" | "uid" | "gid">,
): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, width: number): void => {
    block.write(value.toString(8).padStart(width - 1, "0"), at, width - 1, "ascii");
  };
  block.write(name, 0, 100, "utf8");
  octal(entry.mode & 0o7777, 100, 8);
  octal(Math.min(entry.uid, ID_MAX), 108, 8);
  octal(Math.min(entry.gid, ID_MAX), 116, 8);
  octal(sizeBytes, 124, 12);
  octal(0, 136, 12);
  block.fill(" ", 148, 156);
  block.write(type, 156, 1, "ascii");
  block.write("ustar\x0000", 257, 8, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8, "latin1");
  return block;
}

function pad(content: Uint8Array): Buffer {
  const over = content.length % BLOCK;
  return over === 0 ? Buffer.from(content) : Buffer.concat([content, Buffer.alloc(BLOCK - over)]);
}

/** A pax record says its own length: `27 path=…\n`. */
function writePaxRecord(key: string, value: string): Buffer {
  const body = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(body) + 1;
  while (String(length).length + Buffer.byteLength(body) !== length)
    length = String(length).length + Buffer.byteLength(body);
  return Buffer.from(`${length}${body}`);
}

/** What the header has no room for. */
function writePaxRecords(name: string, { uid, gid }: FileEntry): Buffer {
  const records: Buffer[] = [];
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) records.push(writePaxRecord("path", name));
  if (uid > ID_MAX) records.push(writePaxRecord("uid", String(uid)));
  if (gid > ID_MAX) records.push(writePaxRecord("gid", String(gid)));
  return Buffer.concat(records);
}

/** The files as one tar, directories left to the engine. */
export function packFiles(files: readonly FileEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const file of files) {
    const name = file.path.replace(/^\/+/, "");
    const records = writePaxRecords(name, file);
    if (records.length > 0) {
      const plain = { mode: 0o644, uid: 0, gid: 0 };
      parts.push(writeHeader("pax", "x", records.length, plain), pad(records));
    }
    parts.push(writeHeader(name, "0", file.content.length, file), pad(file.content));
  }
  parts.push(Buffer.alloc(BLOCK * 2));
  return Buffer.concat(parts);
}
