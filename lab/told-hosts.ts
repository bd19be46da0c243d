// SPDX-License-Identifier: Apache-2.0
// What the process behind `npm run lab -- up` tells of its lab once all of it is there: one line a host, in the lab's directory.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findLabDirectory, listLabs } from "./ledger.ts";

const HOSTS_FILE = "hosts";

/** Tells it, whole or not at all. */
export function tellHosts(tag: string, lines: readonly string[]): void {
  const directory = findLabDirectory(tag);
  const unnamed = join(directory, `.${HOSTS_FILE}`);
  writeFileSync(unnamed, `${lines.join("\n")}\n`);
  renameSync(unnamed, join(directory, HOSTS_FILE));
}

/** What was told of a lab; undefined while nothing was. */
export function readHosts(tag: string): string | undefined {
  const path = join(findLabDirectory(tag), HOSTS_FILE);
  return existsSync(path) ? readFileSync(path, "utf8").trimEnd() : undefined;
}

/**
 * What a process has told of its lab; undefined while it has not. That of a fleet owns two ledgers, the hosts' and etcd's,
 * whose tags are random: the one that tells is meant, whichever comes first.
 */
export function findTold(pid: number | undefined): { tag: string; hosts: string } | undefined {
  for (const lab of listLabs()) {
    const hosts = lab.pid === pid ? readHosts(lab.tag) : undefined;
    if (hosts !== undefined) return { tag: lab.tag, hosts };
  }
  return undefined;
}
