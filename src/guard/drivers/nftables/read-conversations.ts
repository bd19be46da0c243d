// SPDX-License-Identifier: Apache-2.0
// What an instance's own connection tracker knows, so that what stands goes on when its port is looked after from now on.
import { readFile } from "node:fs/promises";
import { formatAddress, parseAddress } from "#base/addresses.ts";
import type { Remembered } from "./render-calls.ts";

const TRACKED = /^ipv[46]\s+\d+ (tcp|udp|sctp)\s+\d+ (\d+) /;
const TUPLE = /src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)/g;
const MARK = / mark=(\d+)/;

/** Whose conversations, and which of its calls count: those with the mark of its names. */
export interface Listener {
  readonly port: string;
  readonly addresses: readonly string[];
  readonly names: number | undefined;
}

function spell(address: string): string {
  const parsed = parseAddress(address);
  return parsed === undefined ? address : formatAddress(parsed.family, parsed.value);
}

/** Conversations that others began with it, and those that it began by a name; of lines of `/proc/PID/net/nf_conntrack`. */
export function parseConversations(text: string, listener: Listener): readonly Remembered[] {
  const own = new Set(listener.addresses.map(spell));
  return text.split("\n").flatMap((line): Remembered[] => {
    const [, protocol, seconds] = TRACKED.exec(line) ?? [];
    // On the wire is what the answer has: addresses of services are translated inside.
    const [call, answer] = [...line.matchAll(TUPLE)];
    if (protocol === undefined || call === undefined || answer === undefined) return [];
    const isOwnCall = own.has(spell(call[1] ?? ""));
    const near = Number(answer[isOwnCall ? 4 : 3]);
    const far = Number(answer[isOwnCall ? 3 : 4]);
    const [self, peer] = [answer[isOwnCall ? 2 : 1], answer[isOwnCall ? 1 : 2]].map((one) =>
      spell(one ?? ""),
    );
    if (self === undefined || peer === undefined || !own.has(self) || own.has(peer)) return [];
    const mark = Number(MARK.exec(line)?.[1] ?? 0);
    if (isOwnCall && (listener.names === undefined || mark !== listener.names)) return [];
    return [
      {
        port: listener.port,
        address: peer,
        flow: { protocol, far, near },
        names: isOwnCall ? listener.names : undefined,
        seconds: Math.max(1, Number(seconds)),
      },
    ];
  });
}

/** The same of an instance that runs; none where the kernel has no such list, or it has just ended. */
export async function readConversations(
  pid: number,
  listener: Listener,
): Promise<readonly Remembered[]> {
  try {
    return parseConversations(await readFile(`/proc/${pid}/net/nf_conntrack`, "utf8"), listener);
  } catch {
    return [];
  }
}
