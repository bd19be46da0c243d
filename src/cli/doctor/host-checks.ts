// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { formatSize } from "#base/size.ts";
import { doctorErrors } from "#cli/errors.ts";
import { type Check, complain, type Finding, pass, skip } from "./check.ts";

const DISK_WARN_BYTES = 2 ** 30;
const DISK_FAIL_BYTES = 64 * 2 ** 20;
const MEMORY_WARN_BYTES = 256 * 2 ** 20;
const FILES_LEAST = 4_096;

function findExisting(path: string): string {
  return existsSync(path) || path === "/" ? path : findExisting(dirname(path));
}

async function measureDisk(what: string, path: string): Promise<Finding> {
  const place = findExisting(path);
  const { bavail, blocks, bfree, bsize } = await statfs(place);
  const freeBytes = bavail * bsize;
  const used = blocks === 0 ? 0 : Math.round(((blocks - bfree) / blocks) * 100);
  const text = `${what} ${used} % used, ${formatSize(freeBytes)} free`;
  if (freeBytes >= DISK_WARN_BYTES) return pass(text);
  const verdict = freeBytes < DISK_FAIL_BYTES ? "fail" : "warn";
  return complain(verdict, doctorErrors["disk-low"], text, [`measured at ${place}`]);
}

function readMemory(): Finding {
  const availableKib = Number(
    /^MemAvailable:\s+(\d+)/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1] ?? Number.NaN,
  );
  if (Number.isNaN(availableKib)) return skip("memory: the kernel does not say");
  const text = `${formatSize(availableKib * 1024)} memory free`;
  return availableKib * 1024 < MEMORY_WARN_BYTES
    ? complain("warn", doctorErrors["memory-low"], text)
    : pass(text);
}

function readFilesLimit(): Finding {
  const soft =
    /^Max open files\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? "";
  if (soft === "unlimited" || Number(soft) >= FILES_LEAST) return pass(`${soft} open files`);
  return complain("warn", doctorErrors["files-limited"], `only ${soft} open files`);
}

/** Tests of disk, memory and limits. */
export const HOST_CHECKS: readonly Check[] = [
  { group: "host", name: "state-disk", run: ({ stateDir }) => measureDisk("state disk", stateDir) },
  {
    group: "host",
    name: "engine-disk",
    run: ({ engine }) =>
      engine.kind === "answered" && existsSync(engine.facts.rootDir)
        ? measureDisk("engine disk", engine.facts.rootDir)
        : skip("engine-disk: the engine's directory is not on this host"),
  },
  { group: "host", name: "memory", run: readMemory },
  { group: "host", name: "files", run: readFilesLimit },
];
