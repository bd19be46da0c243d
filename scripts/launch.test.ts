// SPDX-License-Identifier: Apache-2.0
// The first steps of a stranger: an old Node, packages that are missing, no right to install them.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Makes Node call itself 20, which is what a stranger's machine has. */
const OLD = `data:text/javascript,${encodeURIComponent(
  'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.19.0" } });',
)}`;
const NOBODY = 65_534;

/** A clone with its npm packages in place but for what is not asked for; `show.ts` prints which Node runs it. */
let clone = "";
beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), "fairlead-clone-"));
  mkdirSync(join(clone, "scripts"));
  mkdirSync(join(clone, "node_modules"));
  for (const file of ["scripts/launch.mjs", "scripts/find-node.mjs", "package-lock.json"])
    copyFileSync(join(ROOT, file), join(clone, file));
  writeFileSync(
    join(clone, "scripts/show.ts"),
    "const path: string = process.execPath;\nconsole.log(path, process.argv.slice(2).join());\n",
  );
});
afterEach(() => rmSync(clone, { recursive: true }));

function launch(args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  const all = ["--import", OLD, join(clone, "scripts/launch.mjs"), ...args];
  return spawnSync(process.execPath, all, { encoding: "utf8", env });
}

function stampPackages(): void {
  const lock = readFileSync(join(clone, "package-lock.json"));
  const stamp = createHash("sha256").update(lock).digest("hex");
  writeFileSync(join(clone, "node_modules/.fairlead-lock"), stamp);
}

describe("launch.mjs under Node 20", () => {
  test("runs the script with the Node that npm brought, arguments and all", () => {
    stampPackages();
    const own = join(clone, `node_modules/node-linux-${process.arch}/bin/node`);
    mkdirSync(join(own, ".."), { recursive: true });
    copyFileSync(process.execPath, own);
    const { status, stdout, stderr } = launch(["scripts/show.ts", "--once", "a b"]);
    assert.deepEqual([status, stdout], [0, `${own} --once,a b\n`], stderr);
  });

  test("says what brings one, and exits 3, where there is none", () => {
    stampPackages();
    const { status, stderr } = launch(["scripts/show.ts"]);
    assert.equal(status, 3, stderr);
    assert.match(stderr, /^error FL0801 node-too-old: .*this is 20\.19\.0\n {2}do {8}npm ci/);
  });

  test("exits 3 with what npm said when it cannot bring the packages, and tries again the next time", () => {
    const { status, stderr } = launch(["scripts/show.ts"], { ...process.env, PATH: clone });
    assert.equal(status, 3, stderr);
    assert.match(stderr, /^error FL0802 npm-failed: .*\n.*npm ENOENT/m);
    assert.equal(existsSync(join(clone, "node_modules/.fairlead-lock")), false);
  });
});

describe("ensurePackages()", () => {
  const run = (before: string): { readonly status: number | null; readonly stderr: string } => {
    const script = `
      const { ensurePackages } = await import(${JSON.stringify(`${ROOT}scripts/setup.ts`)});
      ${before}
      ensurePackages([{ program: "sh", package: "dash" }, { program: "no-such-program", package: "no-such-package" }]);`;
    return spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  };

  test("names what is missing and the command, and exits 3, when it is not root", () => {
    const { status, stderr } = run(`process.setuid(${NOBODY});`);
    assert.equal(status, 3, stderr);
    assert.equal(
      stderr,
      "error FL0803 packages-missing: only root may install them\n" +
        "  missing   no-such-package\n" +
        "  do        sudo apt-get update && sudo apt-get install --no-install-recommends no-such-package\n",
    );
  });

  test("says that it is not Debian where there is no apt-get", () => {
    const hidden = `
      const fs = (await import("node:module")).createRequire("/")("node:fs");
      const { existsSync } = fs;
      fs.existsSync = (path) => !String(path).endsWith("/apt-get") && existsSync(path);
      (await import("node:module")).syncBuiltinESMExports();`;
    const { status, stderr } = run(hidden);
    assert.equal(status, 3, stderr);
    assert.match(stderr, /^error FL0803 packages-missing: this is not Debian/);
  });
});
