// SPDX-License-Identifier: Apache-2.0
// One conversation after the other as fast as it goes, while rules change. Who sends by UDP is told at once (EPERM) that its own
// rules drop the packet, so that each has a verdict, in order.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { End } from "./ground.ts";

const PROGRAM = `
import json, select, socket, sys, time
address, first, second, never = sys.argv[1], *map(int, sys.argv[2:])
began, asked, turns, strange, state = time.monotonic(), 0, -1, 0, None

def passes(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        try:
            end.sendto(b"x", (address, port))
            return True
        except PermissionError:
            return False

while not (asked % 96 == 0 and select.select([sys.stdin], [], [], 0)[0]):
    for port in (first, never, second):
        is_open = passes(port)
        asked += 1
        if port == never:
            strange += is_open
            continue
        seen = 1 if is_open == (port == first) else 2
        turns += seen != state
        state = seen
    if asked == 96:
        print("begun", flush=True)
print(json.dumps({"asked": asked, "seconds": time.monotonic() - began, "turns": turns, "strange": strange, "state": state}))
`;

/** Ports: one that the first rules let pass and the second do not, one the other way round, one that neither do. */
export interface OftenPorts {
  readonly first: number;
  readonly second: number;
  readonly never: number;
}

/** What was seen. */
export interface Often {
  readonly asked: number;
  readonly seconds: number;
  /** How often the answers came to be those of the other rules. */
  readonly turns: number;
  /** How often that passed which neither let pass. */
  readonly strange: number;
  /** Whose rules the last answer was of. */
  readonly state: 1 | 2;
}

/** Begins to ask, each time from a port of its own; `end` says what was seen. */
export async function askOften(
  from: End,
  address: string,
  { first, second, never }: OftenPorts,
): Promise<{ end(): Promise<Often> }> {
  const words = [address, ...[first, second, never].map(String)];
  const inside = [`--net=/run/netns/${from.netns}`, "/usr/bin/python3", "-c", PROGRAM, ...words];
  const child = spawn("nsenter", inside, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  await once(lines, "line");
  return {
    async end() {
      const told = once(lines, "line");
      child.stdin.end();
      return JSON.parse(String((await told)[0])) as Often;
    },
  };
}
