// SPDX-License-Identifier: Apache-2.0
// Finds a Node that runs TypeScript unbuilt (24.12 or newer): this one, or the project's own from node_modules.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const NEEDED = [24, 12];

/** True when the running Node is new enough. */
export function isNodeNewEnough(version = process.versions.node) {
  const [major, minor] = version.split(".").map(Number);
  return major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1]);
}

/** The path of a Node that is new enough, or undefined when neither the machine nor node_modules has one. */
export function findNode() {
  if (isNodeNewEnough()) return process.execPath;
  const own = fileURLToPath(
    new URL(`../node_modules/node-linux-${process.arch}/bin/node`, import.meta.url),
  );
  return existsSync(own) ? own : undefined;
}

/** Runs `script` in that Node, hands signals on, and exits as it exits. */
export function runWithNode(script, args) {
  const node = findNode();
  if (node === undefined) {
    process.stderr.write(
      `error FL0801 node-too-old: Node ${NEEDED.join(".")} or newer is needed, this is ${process.versions.node}\n` +
        `  do        npm ci        (brings a Node of the project's own)\n`,
    );
    process.exit(3);
  }
  const child = spawn(node, [fileURLToPath(script), ...args], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => child.kill(signal));
  }
  child.on("exit", (code, signal) => {
    process.exit(code ?? (signal === "SIGINT" ? 130 : signal === "SIGTERM" ? 143 : 1));
  });
}
