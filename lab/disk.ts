// SPDX-License-Identifier: Apache-2.0
// Bad disks: small ones that can be filled, and slow ones.
import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { LabEngine } from "./engine.ts";
import { openLedger, type Ledger } from "./ledger.ts";
import { runProgram } from "./run-program.ts";

/** A disk in memory that holds only so much. Fit for `dataRoot` of an engine and for a node's state. */
export interface SmallDisk extends Disposable {
  readonly path: string;
  /** Writes until nothing fits any more, but for `leaveBytes`. */
  fill(leaveBytes?: number): void;
  /** Takes away what `fill` wrote. */
  free(): void;
}

const CHUNK = Buffer.alloc(64 * 1_024, "x");

function isFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOSPC";
}

function writeUntilFull(path: string): void {
  const file = openSync(path, "a");
  try {
    for (let size = CHUNK.length; size >= 1; size = size / 16) {
      try {
        for (;;) writeSync(file, CHUNK, 0, size);
      } catch (error) {
        if (!isFull(error)) throw error;
      }
    }
  } finally {
    closeSync(file);
  }
}

/** Makes one. It is part of the lab given, else of one of its own. */
export function createSmallDisk(options: {
  readonly sizeBytes: number;
  readonly name?: string;
  readonly ledger?: Ledger;
}): SmallDisk {
  const ledger = options.ledger ?? openLedger();
  const path = join(ledger.directory, "disks", options.name ?? "small");
  mkdirSync(path, { recursive: true, mode: 0o711 });
  runProgram("mount", ["-t", "tmpfs", "-o", `size=${options.sizeBytes},mode=755`, "tmpfs", path]);
  const ballast = join(path, ".ballast");
  const reserve = join(path, ".reserve");
  return {
    path,
    fill(leaveBytes = 0) {
      writeFileSync(reserve, Buffer.alloc(leaveBytes));
      writeUntilFull(ballast);
      rmSync(reserve);
    },
    free: () => rmSync(ballast, { force: true }),
    [Symbol.dispose]() {
      spawnSync("umount", ["-l", path]);
      if (options.ledger === undefined) ledger.clear();
    },
  };
}

/** `8:0` of the disk that holds the path, or undefined for one without a device: tmpfs, an overlay. */
function findDevice(path: string): string | undefined {
  const { dev } = statSync(path);
  const major = (dev >> 8) & 0xf_ff;
  if (major === 0) return undefined;
  const device = `${major}:${(dev & 0xff) | ((dev >> 12) & 0xf_ff_00)}`;
  // A partition cannot be slowed down, its disk can.
  const partition = `/sys/dev/block/${device}/partition`;
  if (!existsSync(partition)) return device;
  return readFileSync(`/sys/dev/block/${device}/../dev`, "utf8").trim();
}

const THROTTLES = "/sys/fs/cgroup/blkio";

/** Why disks cannot be slowed down on this machine, or undefined when they can. */
export function explainNoSlowDisk(path: string): string | undefined {
  if (!existsSync(join(THROTTLES, "blkio.throttle.write_bps_device")))
    return "this kernel does not throttle disks by blkio (cgroup v1)";
  return findDevice(path) === undefined ? `${path} is on no disk of its own` : undefined;
}

/**
 * Lets the engine and its containers write and read only so many bytes a second, until disposed. What holds is direct
 * and synchronous I/O: what the kernel writes back later is nobody's. Throws when `explainNoSlowDisk` says why not.
 */
export function slowDisk(engine: LabEngine, bytesPerSecond: number): Disposable {
  const reason = explainNoSlowDisk(engine.dataRoot);
  if (reason !== undefined) throw new Error(reason);
  const group = join(THROTTLES, engine.cgroup);
  mkdirSync(group, { recursive: true });
  const set = (bytes: number): void => {
    const line = `${findDevice(engine.dataRoot) ?? ""} ${bytes}\n`;
    for (const way of ["read", "write"])
      writeFileSync(join(group, `blkio.throttle.${way}_bps_device`), line);
  };
  set(bytesPerSecond);
  writeFileSync(join(group, "cgroup.procs"), String(engine.pid()));
  return { [Symbol.dispose]: () => set(0) };
}
