// SPDX-License-Identifier: Apache-2.0
// A process that does what its parent orders, as its parent sees it. Its program calls `followOrders`.
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { z } from "zod";

const REPLY = z.union([
  z.object({ answer: z.record(z.string(), z.unknown()) }),
  z.object({ error: z.string() }),
]);
/** Longer than any order takes; what is lost on the way is found then. */
const PATIENCE_MS = 120_000;

/** A network namespace to run in, and the address there. */
export interface Place {
  readonly netns: string;
  readonly host: string;
}

export interface WorkerOptions {
  /** Path of the program. */
  readonly program: string;
  readonly args?: readonly string[];
  /** Further flags of Node, e.g. `--cpu-prof`. */
  readonly flags?: readonly string[];
  /** Where it runs; here by default. */
  readonly place?: Place | undefined;
}

/** One process under orders. */
export class WorkerProcess implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor({ program, args = [], flags = [], place }: WorkerOptions) {
    const enter =
      place === undefined
        ? { execArgv: [...flags] }
        : {
            execPath: "nsenter",
            execArgv: [`--net=/run/netns/${place.netns}`, process.execPath, ...flags],
          };
    this.#process = fork(program, [...args], enter);
    this.#ended = once(this.#process, "exit");
  }

  /** Gives an order and waits for what comes of it. One order at a time. Rejects with what went wrong there. */
  async order(order: object): Promise<Readonly<Record<string, unknown>>> {
    this.#process.send(order);
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const [message] = await once(this.#process, "message", { signal }).catch(() => [
      { error: "no reply" },
    ]);
    const reply = REPLY.parse(message);
    if ("error" in reply) throw new Error(`${JSON.stringify(order)}: ${reply.error}`);
    return reply.answer;
  }

  /** Kills it without warning; resolves with when the signal was sent, milliseconds of `monotonicMs`. */
  async kill(): Promise<number> {
    const atMs = monotonicMs();
    this.#process.kill("SIGKILL");
    await this.#ended;
    return atMs;
  }

  /** Lets it end in order. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.connected) {
      await this.order({ do: "end" }).catch(() => undefined);
      if (this.#process.connected) this.#process.disconnect();
    }
    await this.#ended;
  }
}

/** Milliseconds on a clock that all processes of the machine share. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

/** The other side: does what the parent orders, one answer each, until the parent has enough or is gone. */
export function followOrders<T>(schema: z.ZodType<T>, follow: (order: T) => Promise<object>): void {
  process.on("message", (message) => {
    new Promise<object>((resolve) => resolve(follow(schema.parse(message)))).then(
      (answer) => process.send?.({ answer }),
      (thrown: unknown) => process.send?.({ error: String(thrown) }),
    );
  });
  process.on("disconnect", () => process.exit());
}
