// SPDX-License-Identifier: Apache-2.0
// The smallest root file system that runs Node: its binary, the libraries it names, the loader, a place for temporary
// files. It is what the examples build on, so that no registry is needed.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The image that the examples' Dockerfiles name in FROM. */
export const BASE_IMAGE = "fairlead-example/node:24";

/** Files that the binary needs, as absolute paths: what `ldd` names. */
function findLibraries(binary: string): string[] {
  const { stdout } = spawnSync("ldd", [binary], { encoding: "utf8" });
  return stdout.split("\n").flatMap((line) => /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1] ?? []);
}

/** The root file system as a tar stream, with more files in its root, by name. */
export async function* packNodeRoot(
  files: Readonly<Record<string, string>> = {},
): AsyncGenerator<Uint8Array> {
  const binary = process.execPath;
  const extra = mkdtempSync(join(tmpdir(), "fairlead-root-"));
  try {
    mkdirSync(join(extra, "etc"));
    mkdirSync(join(extra, "tmp"), { mode: 0o1777 });
    writeFileSync(join(extra, "etc/passwd"), "root:x:0:0:root:/:/none\n");
    const names = Object.keys(files);
    for (const name of names) writeFileSync(join(extra, name), files[name] ?? "");
    const rename = `--transform=s|^${binary.slice(1)}$|usr/local/bin/node|`;
    const args = ["-c", "-h", rename, "-C", extra, "etc", "tmp", ...names];
    args.push("-C", "/", binary.slice(1), ...findLibraries(binary).map((path) => path.slice(1)));
    const tar = spawn("tar", args, { stdio: ["ignore", "pipe", "inherit"] });
    yield* tar.stdout as AsyncIterable<Uint8Array>;
  } finally {
    rmSync(extra, { recursive: true, force: true });
  }
}
