#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Runs one of the project's scripts: brings the npm packages if they are missing or not those of the lock file, then
// hands over to a Node that is new enough. Plain JavaScript, so that an old Node can run it.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runWithNode } from "./find-node.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const stamp = `${root}node_modules/.fairlead-lock`;

function hashLock() {
  return createHash("sha256")
    .update(readFileSync(`${root}package-lock.json`))
    .digest("hex");
}

/** Installs exactly what the lock file says, unless that is there already. */
function ensureNpmPackages() {
  const wanted = hashLock();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  process.stderr.write("set-up: npm packages of the lock file (npm ci)\n");
  const npm = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
  });
  if (npm.status !== 0) {
    process.stderr.write(
      `error FL0802 npm-failed: npm ci did not bring the packages\n${npm.stderr ?? npm.error?.message ?? ""}\n` +
        "  do        npm ci        (and read what it says)\n",
    );
    process.exit(3);
  }
  writeFileSync(stamp, wanted);
}

const [script, ...args] = process.argv.slice(2);
if (script === undefined) {
  process.stderr.write("usage: node scripts/launch.mjs SCRIPT [ARGUMENT ...]\n");
  process.exit(2);
}
ensureNpmPackages();
runWithNode(new URL(script, `file://${root}`), args);
