// SPDX-License-Identifier: Apache-2.0
// A second build of Fairlead beside this one, from the repository's own history: hosts of a fleet run either.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runProgram } from "#lab/run-program.ts";

/** Directory of this build. */
export const OWN_ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** "docs: one table of what survives which fault", 95 commits before the case was written. */
const COMMIT = "9290cc4";
const LOCK = "package-lock.json";

export interface OtherBuild extends Disposable {
  /** Directory of its sources, with packages in place. */
  readonly root: string;
  /** What its nodes say is their version. */
  readonly version: string;
}

const readVersion = (root: string): string =>
  (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }).version;

/** The same packages as here, but for those of the project, which are its own. */
function linkPackages(root: string): void {
  const [from, to] = [join(OWN_ROOT, "node_modules"), join(root, "node_modules")];
  mkdirSync(join(to, "@fairlead"), { recursive: true });
  const names = readdirSync(from).filter((name) => !name.startsWith(".") && name !== "@fairlead");
  for (const name of names) symlinkSync(join(from, name), join(to, name));
  for (const name of readdirSync(join(root, "packages")))
    symlinkSync(join(root, "packages", name), join(to, "@fairlead", name));
}

/** Its nodes say which commit they are of, as those of a release would. */
function nameVersion(root: string, version: string): void {
  const path = join(root, "package.json");
  const manifest = JSON.parse(readFileSync(path, "utf8")) as object;
  writeFileSync(path, JSON.stringify({ ...manifest, version }));
}

function unpack(root: string, commit: string): OtherBuild {
  const git = (...words: readonly string[]): string =>
    runProgram("git", ["-C", OWN_ROOT, ...words]);
  const archive = join(root, "sources.tar");
  git("archive", "--output", archive, commit);
  runProgram("tar", ["-xf", archive, "-C", root]);
  rmSync(archive);
  if (readFileSync(join(root, LOCK), "utf8") !== readFileSync(join(OWN_ROOT, LOCK), "utf8"))
    throw new Error(
      `${commit} has other packages: check it out, run npm ci there and name the directory`,
    );
  const version = `${readVersion(root)}-${git("rev-parse", "--short", commit).trim()}`;
  nameVersion(root, version);
  linkPackages(root);
  const remove = (): void => rmSync(root, { recursive: true, force: true });
  return { root, version, [Symbol.dispose]: remove };
}

/**
 * The build of FAIRLEAD_OTHER, a commit or a directory. Throws where there is none: the commit is not in this clone, which may be
 * a shallow one, or its packages are not those of this build.
 */
export function openOtherBuild(other = process.env["FAIRLEAD_OTHER"] ?? COMMIT): OtherBuild {
  if (existsSync(other) && statSync(other).isDirectory())
    return { root: other, version: readVersion(other), [Symbol.dispose]: () => undefined };
  const root = mkdtempSync(join(tmpdir(), "fairlead-other-"));
  try {
    return unpack(root, other);
  } catch (error) {
    rmSync(root, { recursive: true, force: true });
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(
      `there is no second build at ${other}: ${why} (FAIRLEAD_OTHER names a commit or a directory; git fetch --unshallow brings all commits)`,
      { cause: error },
    );
  }
}
