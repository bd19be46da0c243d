// SPDX-License-Identifier: Apache-2.0
// Runs beside an instance: asks for a name over and over, and connects to each address that is new in the answer. For each it
// prints a line: the address, and when it was named and when it answered, wall clock in milliseconds.
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const [server = "", name = "", port = ""] = process.argv.slice(2);
/** Three of these run beside the nodes: asked more often, they would take the time that they measure. */
const PAUSE_MS = 10;
/** A connection that is not there by then is tried again: what was lost would be sent again only after a second. */
const CONNECT_MS = 50;
const AGAIN_MS = 3;

const nowMs = (): number => performance.timeOrigin + performance.now();

async function reach(address: string): Promise<void> {
  for (;;) {
    const socket = connect({ host: address, port: Number(port) });
    try {
      await once(socket, "connect", { signal: AbortSignal.timeout(CONNECT_MS) });
      return;
    } catch {
      await sleep(AGAIN_MS);
    } finally {
      socket.destroy();
    }
  }
}

async function report(address: string, namedMs: number): Promise<void> {
  await reach(address);
  process.stdout.write(`${JSON.stringify({ address, namedMs, reachedMs: nowMs() })}\n`);
}

const resolver = new Resolver({ timeout: 1_000, tries: 1 });
resolver.setServers([server]);
let known: readonly string[] = [];
process.stdin.once("end", () => process.exit(0)).resume();
for (;;) {
  const found = await resolver.resolve4(name).catch(() => []);
  const namedMs = nowMs();
  for (const address of found) if (!known.includes(address)) void report(address, namedMs);
  known = found;
  await sleep(PAUSE_MS);
}
