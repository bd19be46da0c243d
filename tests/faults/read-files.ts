// SPDX-License-Identifier: Apache-2.0
// What kinds of files processes have open: a count alone does not say who forgot to close what.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { runInNamespace } from "#lab/run-program.ts";

/** Kind to how many. */
export type FileKinds = Readonly<Record<string, number>>;

const SOCKET = /^socket:\[(\d+)\]$/;

/** As `/proc/net/tcp` writes the state of one that listens. */
const LISTENS = "0A";

/** Inode to kind: `tcp 2379`, after the port that somebody listens on. */
function readPorts(pid: number, kind: "tcp" | "tcp6" | "udp" | "udp6"): [string, string][] {
  const lines = readFileSync(`/proc/${pid}/net/${kind}`, "utf8").trim().split("\n").slice(1);
  const rows = lines.map((line) => {
    const [, local = "", remote = "", state, , , , , , inode = ""] = line.trim().split(/\s+/);
    const [own = 0, other = 0] = [local, remote].map((end) =>
      Number.parseInt(end.split(":")[1] ?? "", 16),
    );
    return { own, other, state, inode };
  });
  const open = new Set(rows.filter(({ state }) => state === LISTENS).map(({ own }) => own));
  return rows.map(({ own, other, inode }) => {
    const port = other === 0 || open.has(own) ? own : other;
    return [inode, `${kind.slice(0, 3)} ${port}`];
  });
}

/** Inode to kind: `unix docker.sock`, of whichever end has the name. */
function readUnix(netns: string): [string, string][] {
  const lines = runInNamespace(netns, "ss", ["-xanH"]).trim().split("\n");
  const ends = lines.map((line) => line.trim().split(/\s+/));
  const named = new Map(ends.map(([, , , , name = "*", inode = ""]) => [inode, name]));
  return ends.map(([, , , , name = "*", inode = "", , other = ""]) => {
    const known = name === "*" ? (named.get(other) ?? "*") : name;
    return [inode, `unix ${known === "*" ? "without a name" : basename(known)}`];
  });
}

/** Reads them of one process, which runs in that namespace. */
export function readFileKinds(pid: number, netns: string): FileKinds {
  const kinds = new Map([
    ...(["tcp", "tcp6", "udp", "udp6"] as const).flatMap((kind) => readPorts(pid, kind)),
    ...readUnix(netns),
  ]);
  const found: Record<string, number> = {};
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    let target: string;
    try {
      target = readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      continue;
    }
    const inode = SOCKET.exec(target)?.[1];
    const kind =
      inode === undefined
        ? basename(target).replace(/\[?\d+\]?$/, "")
        : (kinds.get(inode) ?? "socket");
    found[kind] = (found[kind] ?? 0) + 1;
  }
  return found;
}

/** `unix docker.sock 3 to 9, tcp 2379 1 to 2`; empty where nothing differs. */
export function compareFileKinds(before: FileKinds, after: FileKinds): string {
  const kinds = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return kinds
    .filter((kind) => before[kind] !== after[kind])
    .map((kind) => `${kind} ${before[kind] ?? 0} to ${after[kind] ?? 0}`)
    .join(", ");
}
