// SPDX-License-Identifier: Apache-2.0
// Who listens on a TCP port: from /proc, so that the answer needs no program.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const LISTENING = "0A";

function readLines(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n").slice(1);
  } catch {
    return [];
  }
}

function listInodes(port: number): Set<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = [...readLines("/proc/net/tcp"), ...readLines("/proc/net/tcp6")].map((line) =>
    line.trim().split(/\s+/),
  );
  return new Set(
    rows
      .filter((row) => row[1]?.endsWith(suffix) === true && row[3] === LISTENING)
      .map((row) => row[9] ?? ""),
  );
}

function holds(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    });
  } catch {
    // It ended meanwhile, or belongs to another user.
    return false;
  }
}

/** `node (pid 4711)`, or undefined when nobody listens or it is not to be seen by this user. */
export function findPortHolder(port: number): string | undefined {
  const inodes = listInodes(port);
  if (inodes.size === 0) return undefined;
  const pid = readdirSync("/proc").find((name) => /^\d+$/.test(name) && holds(name, inodes));
  if (pid === undefined) return "a process of another user";
  return `${readLines(`/proc/${pid}/status`).length > 0 ? readFileSync(`/proc/${pid}/comm`, "utf8").trim() : "?"} (pid ${pid})`;
}
