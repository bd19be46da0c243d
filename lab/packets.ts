// SPDX-License-Identifier: Apache-2.0
// Packets between network namespaces, many at a time: one process holds sockets in all of them (packets.py).
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("packets.py", import.meta.url));
/** How long a packet that is denied may take not to arrive, and one that is allowed to arrive on a busy machine; ms. */
const QUIET_MS = 400;
const PATIENCE_MS = 15_000;

/** One conversation: a connection, or a datagram that is answered. */
export interface Probe {
  /** Name of the namespace that calls. */
  readonly from: string;
  readonly address: string;
  readonly protocol: "TCP" | "UDP";
  readonly port: number;
  /** Own address of the caller, where it is not the first of its device. */
  readonly source?: string;
  /** Who is expected to be answered is waited for. */
  readonly expect: boolean;
}

export interface Packets extends AsyncDisposable {
  /** Holds a namespace by a name of one's own. */
  open(name: string, path: string): Promise<void>;
  /** Answers whoever comes in a namespace, to any of its addresses or to these. */
  serve(
    name: string,
    ports: readonly (readonly ["TCP" | "UDP", number])[],
    hosts?: readonly string[],
  ): Promise<void>;
  /** Whether each probe was answered, all at once. */
  ask(probes: readonly Probe[]): Promise<readonly boolean[]>;
  /** Puts whole frames on a device; throws when the namespace may not. */
  send(name: string, device: string, frames: readonly Buffer[]): Promise<void>;
  /** Counts frames that come into a namespace with these bytes in them; `seen` says how many. */
  watch(name: string, device: string, needle: Buffer): Promise<() => Promise<number>>;
}

/** Starts the process; it ends with what is disposed of. `quietMs`: what is denied is given so long to be answered all the same. */
export function startPackets({ quietMs = QUIET_MS } = {}): Packets {
  const child = spawn("/usr/bin/python3", [PROGRAM], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let last: Promise<unknown> = Promise.resolve();

  async function tell(order: object): Promise<unknown> {
    child.stdin.write(`${JSON.stringify(order)}\n`);
    const { value } = (await lines.next()) as { value: string | undefined };
    if (value === undefined) throw new Error("packets.py has ended");
    const { result, error } = JSON.parse(value) as { result?: unknown; error?: string };
    if (error !== undefined) throw new Error(`packets.py: ${error}`);
    return result;
  }

  /** One after the other: answers come in order. */
  function order(what: object): Promise<unknown> {
    const told = last.then(() => tell(what));
    last = told.catch(() => undefined);
    return told;
  }

  return {
    open: async (name, path) => void (await order({ do: "open", name, path })),
    serve: async (name, ports, hosts = ["0.0.0.0", "::"]) =>
      void (await order({ do: "serve", name, ports, hosts })),
    ask: async (probes) =>
      (await order({ do: "ask", probes, quietMs, maxMs: PATIENCE_MS })) as boolean[],
    async send(name, device, frames) {
      await order({ do: "send", name, device, frames: frames.map((one) => one.toString("hex")) });
    },
    async watch(name, device, needle) {
      const text = needle.toString("hex");
      await order({ do: "watch", name, device, needle: text });
      return async () => {
        const all = (await order({ do: "seen" })) as Readonly<Record<string, number>>;
        return all[`${name} ${text}`] ?? 0;
      };
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return;
      const ended = once(child, "exit");
      child.stdin.end();
      child.kill("SIGKILL");
      await ended;
    },
  };
}
