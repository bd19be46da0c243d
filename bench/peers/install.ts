// SPDX-License-Identifier: Apache-2.0
// Brings the peers: npm packages of this folder's lock file, servers from Debian.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ensurePackages } from "../../scripts/setup.ts";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const SERVERS = [
  { program: "nats-server", package: "nats-server" },
  { program: "mosquitto", package: "mosquitto" },
];

/** Installs what is missing of the peers. Exits with 3, saying what to do, where that is not possible. */
export function ensurePeers(): void {
  ensurePackages(SERVERS);
  const stamp = `${FOLDER}node_modules/.fairlead-lock`;
  const wanted = createHash("sha256")
    .update(readFileSync(`${FOLDER}package-lock.json`))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  process.stderr.write("set-up: npm packages of bench/peers (npm ci)\n");
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const npm = spawnSync("npm", args, {
    cwd: FOLDER,
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
  });
  if (npm.status !== 0) {
    process.stderr.write(
      `error FL0802 npm-failed: npm ci did not bring the packages of bench/peers\n${npm.stderr ?? npm.error?.message ?? ""}\n` +
        "  do        cd bench/peers && npm ci        (and read what it says)\n",
    );
    process.exit(3);
  }
  writeFileSync(stamp, wanted);
}
