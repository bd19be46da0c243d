// SPDX-License-Identifier: Apache-2.0
// What a process does to the files of a directory, in order: strace writes it down, and replay-writes.ts makes of it the
// disk as it would be had the process or the machine died at any of these points. An injected file system would need
// FUSE or a kernel module; SQLite inside of Node takes no layer of ours; this sees what reaches the kernel.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** One step; paths are relative to the directory, `.` is itself. `say` is what went to standard output. */
export type FileStep =
  | { readonly kind: "open"; readonly path: string; readonly truncates: boolean }
  | {
      readonly kind: "write";
      readonly path: string;
      readonly offset: number;
      readonly data: Buffer;
    }
  | { readonly kind: "truncate"; readonly path: string; readonly sizeBytes: number }
  | { readonly kind: "sync"; readonly path: string }
  | { readonly kind: "rename"; readonly path: string; readonly to: string }
  | { readonly kind: "unlink"; readonly path: string }
  | { readonly kind: "say"; readonly text: string };

const CALLS =
  "openat,write,writev,pwrite64,pwritev,pwritev2,ftruncate,truncate,fallocate,fsync,fdatasync,msync,rename,renameat,renameat2,unlink,unlinkat,link,linkat,copy_file_range,sendfile";
const STRING = /"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?/g;
const LINE = /^(\d+) +(\w+)\((.*)\) += (-?\d+)/;
const DESCRIPTOR = /^(\d+)<((?:\\x[0-9a-f]{2})*)>/;

function decode(hex: string): Buffer {
  return Buffer.from(hex.replaceAll("\\x", ""), "hex");
}

/** Whole lines: a call that another thread interrupted is one line, where it ended. */
function* joinLines(text: string): Generator<string> {
  const begun = new Map<string, string>();
  for (const line of text.split("\n")) {
    const pid = line.slice(0, line.indexOf(" "));
    if (line.endsWith(" <unfinished ...>")) {
      begun.set(pid, line.slice(0, -" <unfinished ...>".length));
      continue;
    }
    const resumed = /^\d+ +<\.\.\. \w+ resumed>(.*)$/.exec(line);
    if (resumed === null) yield line;
    else yield `${begun.get(pid) ?? ""}${resumed[1] ?? ""}`;
  }
}

/** Turns strace's lines into steps; throws on a call that it does not know how to repeat. */
function createReader(directory: string): (line: string) => FileStep | undefined {
  const positions = new Map<string, number>();
  const within = (path: string): string | undefined =>
    path === directory
      ? "."
      : path.startsWith(`${directory}/`)
        ? path.slice(directory.length + 1)
        : undefined;

  function readOpen(rest: string, result: string): FileStep | undefined {
    const [named] = [...rest.matchAll(STRING)];
    const path = within(decode(named?.[1] ?? "").toString());
    positions.set(result, 0);
    if (path === undefined || !/O_WRONLY|O_RDWR/.test(rest)) return undefined;
    if (rest.includes("O_APPEND")) throw new Error(`a file is opened to append: ${rest}`);
    return { kind: "open", path, truncates: rest.includes("O_TRUNC") };
  }

  function readNamed(call: string, rest: string): FileStep | undefined {
    const [from, to] = [...rest.matchAll(STRING)].map(([, hex = ""]) =>
      within(decode(hex).toString()),
    );
    if (from === undefined && to === undefined) return undefined;
    if (call.startsWith("unlink") && from !== undefined) return { kind: "unlink", path: from };
    if (call.startsWith("rename") && from !== undefined && to !== undefined)
      return { kind: "rename", path: from, to };
    throw new Error(`cannot be repeated: ${call}(${rest})`);
  }

  return (line) => {
    const [, , call = "", rest = "", result = ""] = LINE.exec(line) ?? [];
    if (call === "" || result === "-1") return undefined;
    if (call === "openat") return readOpen(rest, result);
    const [, fd = "", hexPath = ""] = DESCRIPTOR.exec(rest) ?? [];
    if (fd === "") return readNamed(call, rest);
    if (call === "unlinkat" || call === "renameat" || call === "renameat2")
      return readNamed(call, rest);
    const path = within(decode(hexPath).toString());
    const [text] = [...rest.matchAll(STRING)];
    if (text?.[2] !== undefined)
      throw new Error(`strace cut what was written: ${line.slice(0, 200)}`);
    const data = decode(text?.[1] ?? "").subarray(0, Number(result));
    if (call === "write" && fd === "1") return { kind: "say", text: data.toString() };
    if (path === undefined) return undefined;
    if (call === "write") {
      const offset = positions.get(fd) ?? 0;
      positions.set(fd, offset + data.length);
      return { kind: "write", path, offset, data };
    }
    const last = Number(/(\d+)$/.exec(rest)?.[1]);
    if (call === "pwrite64") return { kind: "write", path, offset: last, data };
    if (call === "ftruncate") return { kind: "truncate", path, sizeBytes: last };
    if (call === "fsync" || call === "fdatasync") return { kind: "sync", path };
    throw new Error(`cannot be repeated: ${call}(${rest.slice(0, 200)})`);
  };
}

/** Runs a program to its end; throws unless it ends with 0. Needs strace. */
export async function recordWrites(
  command: readonly string[],
  directory: string,
): Promise<readonly FileStep[]> {
  const folder = mkdtempSync(join(tmpdir(), "fairlead-record-"));
  const file = join(folder, "calls");
  try {
    const how = ["-f", "-y", "-xx", "-s", "10000000", "--seccomp-bpf", "-e", `trace=${CALLS}`];
    const child = spawn("strace", [...how, "-e", "signal=none", "-o", file, "--", ...command], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const [code] = (await once(child, "close")) as [number | null];
    if (code !== 0) throw new Error(`${command.join(" ")} under strace ended with ${code}`);
    const read = createReader(directory);
    return [...joinLines(readFileSync(file, "latin1"))].flatMap((line) => read(line) ?? []);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Runs a program to its end while its `nth` call on one of the files fails with `error`; later ones succeed again.
 * Returns what it said, and whether there was such a call at all.
 */
export async function failCall(
  command: readonly string[],
  files: readonly string[],
  fault: { readonly calls: string; readonly nth: number; readonly error: string },
): Promise<{ readonly said: string; readonly happened: boolean }> {
  const folder = mkdtempSync(join(tmpdir(), "fairlead-fail-"));
  const file = join(folder, "calls");
  try {
    const { calls, nth, error } = fault;
    const paths = files.flatMap((path) => ["-P", path]);
    const how = ["-f", "-o", file, "-e", `trace=${calls}`, "-e", "signal=none", ...paths];
    const inject = ["-e", `inject=${calls}:error=${error}:when=${nth}`];
    const child = spawn("strace", [...how, ...inject, "--", ...command], {
      // What it complains of is the failure that it was given.
      stdio: ["ignore", "pipe", "ignore"],
    });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    await once(child, "close");
    return { said, happened: readFileSync(file, "utf8").includes("(INJECTED)") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
