// SPDX-License-Identifier: Apache-2.0
// What an instance is able to do in its own network, whatever its image says: of the kernel, for every container in that network.
import { readdir, readFile, readlink } from "node:fs/promises";

/** Bits of a set of capabilities, as in capabilities(7). */
const NET_ADMIN = 12n;
const NET_RAW = 13n;
const BOUND = /^CapBnd:\s+([0-9a-f]+)$/m;
/** A group of an engine's container. */
const CONTAINER = /[0-9a-f]{64}/;

/** By number of the network namespace, the names of what processes there may ever do. */
export type Powers = ReadonlyMap<string, ReadonlySet<string>>;

async function readProcess(pid: string): Promise<readonly [string, readonly string[]] | undefined> {
  try {
    const namespace = await readlink(`/proc/${pid}/ns/net`);
    const group = await readFile(`/proc/${pid}/cgroup`, "utf8");
    if (!CONTAINER.test(group)) return undefined;
    const bound = BOUND.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
    const bits = BigInt(`0x${bound ?? "0"}`);
    const has = (bit: bigint): boolean => ((bits >> bit) & 1n) === 1n;
    return [
      namespace,
      [...(has(NET_ADMIN) ? ["NET_ADMIN"] : []), ...(has(NET_RAW) ? ["NET_RAW"] : [])],
    ];
  } catch {
    // It has ended.
    return undefined;
  }
}

/** Of all processes of containers on this host; what a process gives up later is counted too. */
export async function readPowers(): Promise<Powers> {
  const powers = new Map<string, Set<string>>();
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const [namespace, names] = (await readProcess(pid)) ?? [];
    if (namespace === undefined) continue;
    const known = powers.get(namespace) ?? new Set<string>();
    powers.set(namespace, known);
    for (const name of names ?? []) known.add(name);
  }
  return powers;
}
