// SPDX-License-Identifier: Apache-2.0
// Which programs the watched processes, and all that they start, turn into: every execve, as strace sees it.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

const SHELLS = new Set("sh bash dash ash zsh ksh mksh fish csh tcsh busybox".split(" "));

/** A start of a program: its file, and its arguments as strace writes them. */
export interface Start {
  readonly program: string;
  readonly args: string;
}

export interface ProgramWatch extends Disposable {
  /** Put it before a command, and the command is watched. The process is the command's own, not strace's. */
  readonly prefix: readonly string[];
  /** Programs that were started so far, those that do not exist included. */
  list(): readonly Start[];
  /** Those of them that are shells. */
  listShells(): readonly Start[];
}

/** Starts to watch nobody. Needs strace. */
export function createProgramWatch(): ProgramWatch {
  const folder = mkdtempSync(join(tmpdir(), "fairlead-watch-"));
  const file = join(folder, "starts");
  const list = (): readonly Start[] => {
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    return [...text.matchAll(/ execve\("([^"]*)", (\[.*\])/g)].map(
      ([, program = "", args = ""]) => ({
        program,
        args,
      }),
    );
  };
  return {
    prefix: [
      "strace",
      "-D",
      "-f",
      "-A",
      "-o",
      file,
      "-s",
      "1000",
      "-e",
      "trace=execve",
      "-e",
      "signal=none",
      "--seccomp-bpf",
      "--",
    ],
    list,
    listShells: () => list().filter(({ program }) => SHELLS.has(basename(program))),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
