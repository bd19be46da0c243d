// SPDX-License-Identifier: Apache-2.0
// The first process of an instance that the engine is just making. It is there some time before the engine says that the instance
// runs, and before it has become the instance's own program: what has to hold for that can be made meanwhile.
import { readFileSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseAddress } from "#base/addresses.ts";
import type { Arrival } from "#guard/guard.ts";

/** How often the kernel is asked who is new: of most starts something is heard within a second. */
const LOOK_MS = 4;
const SOON_MS = 1_000;
const LATER_MS = 50;
/** How long a new process may take to get into the group by which it is known. */
const YOUNG_MS = 60;
/** So many processes that were there before are looked at: an engine may have made it before it told of its network. */
const BEFORE = 128;
/** After so long nobody is coming. */
const PATIENCE_MS = 20_000;

/** A text of /proc; empty when whose it is has ended. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function readNamespace(pid: number | "self"): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return "";
  }
}

/** The number that was given last, to a process or a thread. */
function readLast(): number {
  return Number(read("/proc/loadavg").split(" ").at(-1));
}

const isProcess = (pid: number): boolean =>
  read(`/proc/${pid}/status`).includes(`\nTgid:\t${pid}\n`);

/** How the kernel lists an address of its own. */
function spell(address: string): readonly [file: string, words: string] {
  const parsed = parseAddress(address);
  if (parsed?.family !== 6) return ["fib_trie", `|-- ${address}\n`];
  return ["if_inet6", parsed.value.toString(16).padStart(32, "0")];
}

function hasAddresses(pid: number, addresses: readonly string[]): boolean {
  return addresses.every((address) => {
    const [file, words] = spell(address);
    return read(`/proc/${pid}/net/${file}`).includes(words);
  });
}

/** Says who is new, each once more until it is old enough to be known. */
function createArrivals(): () => readonly number[] {
  let last = Math.max(0, readLast() - BEFORE);
  let young: readonly (readonly [pid: number, untilMs: number])[] = [];
  return () => {
    const nowMs = performance.now();
    const now = readLast();
    // Numbers begin anew after the highest.
    const from = now < last ? 0 : last;
    last = now;
    const news = Array.from({ length: now - from }, (_, index) => from + 1 + index);
    young = [
      ...young.filter(([, untilMs]) => untilMs > nowMs),
      ...news.filter(isProcess).map((pid) => [pid, nowMs + YOUNG_MS] as const),
    ];
    return young.map(([pid]) => pid);
  };
}

/** Process ids of one process, as its namespaces count it, from ours inwards. */
const readNumbers = (pid: number | "self"): readonly string[] =>
  /^NSpid:\t(.*)$/m.exec(read(`/proc/${pid}/status`))?.[1]?.split("\t") ?? [];

/** Whether it is the first in a namespace of process ids that is in ours: whoever comes into an instance later is not. */
function isFirst(pid: number): boolean {
  const numbers = readNumbers(pid);
  return numbers.at(-1) === "1" && numbers.length === readNumbers("self").length + 1;
}

/**
 * Says who comes of an instance that is being made: its first process, in whose network its program will run, and the same once
 * these addresses are there. Ends then, when that does not come, or when the signal aborts. An instance that has the host's process
 * ids does not come.
 */
export async function* awaitStart(
  id: string,
  addresses: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<Arrival> {
  const beganMs = performance.now();
  const listArrivals = createArrivals();
  const hosts = new Set([readNamespace("self"), readNamespace(1)]);
  const members = new Set<number>();
  let told: number | undefined;
  for (let forMs = 0; !signal.aborted && forMs < PATIENCE_MS; forMs = performance.now() - beganMs) {
    for (const pid of listArrivals())
      if (!members.has(pid) && read(`/proc/${pid}/cgroup`).includes(id)) members.add(pid);
    for (const pid of members) {
      const namespace = readNamespace(pid);
      if (namespace === "") members.delete(pid);
      if (namespace === "" || hosts.has(namespace) || !isFirst(pid)) continue;
      if (hasAddresses(pid, addresses)) {
        yield { pid, isConnected: true };
        return;
      }
      if (told === pid) continue;
      told = pid;
      yield { pid, isConnected: false };
    }
    const delayMs = forMs < SOON_MS ? LOOK_MS : LATER_MS;
    await sleep(delayMs, undefined, { signal }).catch(() => undefined);
  }
}
