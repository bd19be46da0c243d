// SPDX-License-Identifier: Apache-2.0
// A disk that is made of recorded steps. `kill` is what a new process finds when the old one died: every step so far.
// `losePower` is what a machine finds that lost its power: what was synced, and of the rest what chance kept, in sectors.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FileStep } from "./record-writes.ts";

const SECTOR_BYTES = 512;

type Change = { readonly offset: number; readonly data: Buffer } | { readonly sizeBytes: number };

interface File {
  /** What is on the disk for certain. */
  synced: Buffer;
  /** What the next process sees. */
  seen: Buffer;
  /** What came after the last sync, in order. */
  unsynced: Change[];
}

/** A state of the directory: contents by name. */
export type DiskImage = ReadonlyMap<string, Buffer>;

/** Decides whether something that was not synced is on the disk all the same. */
export type Keep = () => boolean;

export interface Replay {
  step(step: FileStep): void;
  kill(): DiskImage;
  losePower(keep: Keep): DiskImage;
}

function resize(data: Buffer, sizeBytes: number): Buffer {
  if (data.length >= sizeBytes) return data.subarray(0, sizeBytes);
  return Buffer.concat([data, Buffer.alloc(sizeBytes - data.length)]);
}

function change(content: Buffer, what: Change): Buffer {
  if ("sizeBytes" in what) return resize(content, what.sizeBytes);
  const grown = Buffer.from(
    resize(content, Math.max(content.length, what.offset + what.data.length)),
  );
  what.data.copy(grown, what.offset);
  return grown;
}

/** The sectors of a write that chance kept; a change of size is kept or not. */
function* keepParts(what: Change, keep: Keep): Generator<Change> {
  if ("sizeBytes" in what) {
    if (keep()) yield what;
    return;
  }
  const { offset, data } = what;
  for (let from = 0; from < data.length;) {
    const length = SECTOR_BYTES - ((offset + from) % SECTOR_BYTES);
    if (keep()) yield { offset: offset + from, data: data.subarray(from, from + length) };
    from += length;
  }
}

/** An empty directory, whose own existence is certain. */
export function createReplay(): Replay {
  const seen = new Map<string, File>();
  const synced = new Map<string, File>();
  /** Changes of names after the last sync of the directory; a journal keeps their order. */
  let unsynced: ((names: Map<string, File>) => void)[] = [];

  function rename(apply: (names: Map<string, File>) => void): void {
    apply(seen);
    unsynced.push(apply);
  }

  function alter(path: string, what: Change): void {
    const file = seen.get(path);
    if (file === undefined) throw new Error(`${path} was never opened`);
    file.seen = change(file.seen, what);
    file.unsynced.push(what);
  }

  function sync(path: string): void {
    if (path === ".") {
      for (const apply of unsynced) apply(synced);
      unsynced = [];
      return;
    }
    const file = seen.get(path);
    if (file === undefined) return;
    file.synced = file.seen;
    file.unsynced = [];
  }

  return {
    step(step) {
      if (step.kind === "say") return;
      const { path } = step;
      if (step.kind === "open") {
        if (!seen.has(path)) {
          const file: File = { synced: Buffer.alloc(0), seen: Buffer.alloc(0), unsynced: [] };
          rename((names) => names.set(path, file));
        }
        if (step.truncates) alter(path, { sizeBytes: 0 });
      } else if (step.kind === "write") alter(path, step);
      else if (step.kind === "truncate") alter(path, step);
      else if (step.kind === "sync") sync(path);
      else if (step.kind === "unlink") rename((names) => names.delete(path));
      else
        rename((names) => {
          const file = names.get(path);
          if (file === undefined) return;
          names.set(step.to, file);
          names.delete(path);
        });
    },
    kill: () => new Map([...seen].map(([path, file]) => [path, file.seen])),
    losePower(keep) {
      const names = new Map(synced);
      for (const apply of unsynced) {
        if (!keep()) break;
        apply(names);
      }
      return new Map(
        [...names].map(([path, file]) => {
          let content = file.synced;
          for (const what of file.unsynced)
            for (const part of keepParts(what, keep)) content = change(content, part);
          return [path, content];
        }),
      );
    },
  };
}

/** Writes an image into a directory, in place of what is there. */
export function writeImage(image: DiskImage, directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const [path, content] of image) writeFileSync(join(directory, path), content);
}

/** Where a replay stands: what was said so far, and how to name the point in a complaint. */
export interface Point {
  readonly replay: Replay;
  readonly said: string;
  readonly where: string;
}

/** Replays the steps and stops at `count` of them, evenly spread; at each one when it is 0. Returns at how many. */
export async function visitPoints(
  steps: readonly FileStep[],
  count: number,
  visit: (point: Point) => Promise<void>,
): Promise<number> {
  const replay = createReplay();
  const every = count === 0 ? 1 : Math.max(1, steps.length / count);
  let said = "";
  let visited = 0;
  for (const [index, step] of steps.entries()) {
    replay.step(step);
    if (step.kind === "say") said += step.text;
    if (Math.floor((index + 1) / every) === Math.floor(index / every)) continue;
    visited++;
    const where = `after step ${index + 1} of ${steps.length}, ${step.kind}`;
    await visit({ replay, said, where });
  }
  return visited;
}
