// SPDX-License-Identifier: Apache-2.0
// What a lab has made, on disk, so that whoever comes next can remove it even when its owner was killed. One directory a
// lab: `owner` names the process that made it, `processes` those it started. Labs are in a directory of this user's;
// the demo, which is no lab but leaves as much behind, has one of its own.
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Not under /run: engines have one of their own. */
const LEDGERS = join(tmpdir(), "fairlead-lab");

/** A process by pid and start time: a pid alone may be somebody else's by now. */
interface ProcessMark {
  readonly pid: number;
  readonly startTicks: string;
}

/** Field 22 of /proc/PID/stat, or undefined when there is no such process. */
export function readStartTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** True when every thread of the process is stopped or gone: a signal to stop takes each one a moment. */
export function isStopped(pid: number): boolean {
  let threads: string[];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return true;
  }
  return threads.every((thread) => {
    try {
      const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8");
      return /^[TtZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
    } catch {
      return true;
    }
  });
}

function isAlive(mark: ProcessMark): boolean {
  return readStartTicks(mark.pid) === mark.startTicks;
}

function markOf(pid: number): ProcessMark {
  return { pid, startTicks: readStartTicks(pid) ?? "" };
}

/** Sends a signal to that very process; false when it is gone. */
export function signalProcess(mark: ProcessMark, signal: NodeJS.Signals): boolean {
  if (!isAlive(mark)) return false;
  try {
    process.kill(mark.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** The list of what one lab has made. */
export interface Ledger {
  /** Short, unique, fit for names of interfaces: `fl3k9a2b`. */
  readonly tag: string;
  /** The lab's directory; everything it writes is in here. */
  readonly directory: string;
  /** Notes a process that ends with the lab. */
  noteProcess(pid: number): ProcessMark;
  /** Names of network namespaces that the lab has made. */
  noteNamespace(name: string): void;
  /** Removes all of it. */
  clear(): void;
}

/** What somebody else put there is none of ours: it would say what to kill and what to remove. */
function isOurs(root: string): boolean {
  return statSync(root, { throwIfNoEntry: false })?.uid === process.getuid?.();
}

/** Opens a ledger for this process or another, after sweeping those whose owner is gone. */
export function openLedger(ownerPid = process.pid): Ledger {
  sweepLab();
  return createLedger(LEDGERS, ownerPid);
}

/** A ledger in another directory than that of the labs; what was left there before stays. */
export function createLedger(root: string, ownerPid = process.pid): Ledger {
  const tag = `fl${Math.floor(Math.random() * 36 ** 5)
    .toString(36)
    .padStart(5, "0")}`;
  const directory = join(root, tag);
  mkdirSync(root, { recursive: true, mode: 0o700 });
  if (!isOurs(root)) throw new Error(`${root} belongs to another user`);
  // Renamed into place, so that no lab is ever without an owner.
  const unnamed = mkdtempSync(join(root, ".new-"));
  writeFileSync(join(unnamed, "owner"), JSON.stringify(markOf(ownerPid)));
  renameSync(unnamed, directory);
  return {
    tag,
    directory,
    noteProcess(pid) {
      const mark = markOf(pid);
      appendFileSync(join(directory, "processes"), `${JSON.stringify(mark)}\n`);
      return mark;
    },
    noteNamespace: (name) => appendFileSync(join(directory, "namespaces"), `${name}\n`),
    clear: () => removeLab(directory, tag),
  };
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line !== "");
  } catch {
    return [];
  }
}

/** Processes whose command line names the path. */
function findNaming(path: string): ProcessMark[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8");
      return command.includes(path) && Number(name) !== process.pid ? [markOf(Number(name))] : [];
    } catch {
      return [];
    }
  });
}

/** Processes that live in a namespace of the lab: containers' and relays'. */
function findByNamespace(name: string): ProcessMark[] {
  const wanted = readNamespaceId(`/run/netns/${name}`);
  if (wanted === undefined) return [];
  return readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      return readlinkSync(`/proc/${entry}/ns/net`) === wanted ? [markOf(Number(entry))] : [];
    } catch {
      return [];
    }
  });
}

/** The lab's control groups, the innermost first. Engines put their containers there. */
function findCgroups(tag: string): string[] {
  const args = ["/sys/fs/cgroup", "-depth", "-type", "d", "-path", `*/${tag}-*`];
  const { stdout } = spawnSync("find", args, { encoding: "utf8" });
  return stdout.split("\n").filter((path) => path !== "");
}

/** Processes in the lab's control groups: a container lives on when its shim is killed. */
function findByCgroup(tag: string): ProcessMark[] {
  const pids = findCgroups(tag).flatMap((path) => readLines(join(path, "cgroup.procs")));
  return [...new Set(pids)].map((pid) => markOf(Number(pid)));
}

function readNamespaceId(path: string): string | undefined {
  const { stdout, status } = spawnSync("stat", ["-L", "-c", "%i", path], { encoding: "utf8" });
  return status === 0 ? `net:[${stdout.trim()}]` : undefined;
}

function killAll(find: () => readonly ProcessMark[]): void {
  for (let round = 0; round < 50; round++) {
    const found = find().filter(isAlive);
    if (found.length === 0) return;
    for (const mark of found) {
      signalProcess(mark, "SIGCONT");
      signalProcess(mark, "SIGKILL");
    }
    spawnSync("sleep", ["0.05"]);
  }
}

/** Kills the processes whose command line names the path, and returns once they are gone. */
export function killNaming(path: string): void {
  killAll(() => findNaming(path));
}

function unmountUnder(directory: string): void {
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => path.startsWith(`${directory}/`));
  for (const path of mounts.reverse()) spawnSync("umount", ["-l", path]);
}

/** A group can be removed once the kernel has let go of its last process, a moment after the end. */
function removeCgroups(tag: string): void {
  for (let round = 0; round < 20; round++) {
    const paths = findCgroups(tag);
    if (paths.length === 0) return;
    for (const path of paths) spawnSync("rmdir", [path]);
    if (round > 0) spawnSync("sleep", ["0.1"]);
  }
}

function removeLab(directory: string, tag: string): void {
  const marks = readLines(join(directory, "processes")).map(
    (line) => JSON.parse(line) as ProcessMark,
  );
  const namespaces = readLines(join(directory, "namespaces"));
  // Those that name the directory: the engine's containerd and shims, which outlive it.
  killAll(() => [...marks, ...findNaming(`${directory}/`), ...findByCgroup(tag)]);
  for (const name of namespaces) killAll(() => findByNamespace(name));
  for (const name of namespaces) spawnSync("ip", ["netns", "del", name]);
  unmountUnder(directory);
  removeCgroups(tag);
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

/** Removes every lab whose owner is gone; returns their tags. */
export function sweepLab(): readonly string[] {
  const left = listLabs().filter(({ alive }) => !alive);
  for (const { clear } of left) clear();
  return left.map(({ tag }) => tag);
}

/** Where the lab of that tag keeps its things. */
export function findLabDirectory(tag: string): string {
  return join(LEDGERS, tag);
}

/** Sends a signal to the process that owns the lab; false when it is gone. */
export function signalOwner(tag: string, signal: NodeJS.Signals): boolean {
  const [owner] = readLines(join(LEDGERS, tag, "owner"));
  return owner !== undefined && signalProcess(JSON.parse(owner) as ProcessMark, signal);
}

/** A lab that is there, or that was left. */
export interface FoundLab extends Pick<Ledger, "tag" | "directory" | "clear"> {
  /** Of its owner. */
  readonly pid: number;
  /** Whether the owner is. */
  readonly alive: boolean;
}

/** The labs that are there; those of `root`, where that is given. */
export function listLabs(root = LEDGERS): readonly FoundLab[] {
  if (!isOurs(root)) return [];
  return readdirSync(root).flatMap((tag): FoundLab[] => {
    const directory = join(root, tag);
    const [owner] = readLines(join(directory, "owner"));
    if (owner === undefined || tag.startsWith(".")) return [];
    const mark = JSON.parse(owner) as ProcessMark;
    const clear = (): void => removeLab(directory, tag);
    return [{ tag, directory, pid: mark.pid, alive: isAlive(mark), clear }];
  });
}
