// SPDX-License-Identifier: Apache-2.0
// Processes that send and receive, as their parent sees them.
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { WorkerProcess, type Place } from "../worker-process.ts";

const PROGRAM = fileURLToPath(new URL("worker.ts", import.meta.url));

/** Senders and receivers of one subject, connected. */
export class Ends implements AsyncDisposable {
  readonly #senders: readonly WorkerProcess[];
  readonly #receivers: readonly WorkerProcess[];

  private constructor(senders: readonly WorkerProcess[], receivers: readonly WorkerProcess[]) {
    this.#senders = senders;
    this.#receivers = receivers;
  }

  /** Starts the processes. `flags`: further ones of Node, e.g. `--cpu-prof`. */
  static async open(options: {
    readonly subject: string;
    readonly broker: string;
    readonly senders: number;
    readonly receivers: number;
    readonly flags?: readonly string[];
    /** Where senders and receivers run; here by default. */
    readonly places?: { readonly senders: Place; readonly receivers: Place };
  }): Promise<Ends> {
    const { subject, broker, flags = [], places } = options;
    const start = (count: number, place: Place | undefined): WorkerProcess[] =>
      Array.from(
        { length: count },
        () => new WorkerProcess({ program: PROGRAM, args: [subject], flags, place }),
      );
    const receivers = start(options.receivers, places?.receivers);
    const senders = start(options.senders, places?.senders);
    const ends = new Ends(senders, receivers);
    const addresses = await Promise.all(
      receivers.map(async (worker, index) => {
        const answer = await worker.order({
          do: "receive",
          broker,
          name: `receiver-${index}`,
          host: places?.receivers.host,
        });
        return String(answer["address"]);
      }),
    );
    const host = places?.senders.host;
    const connect = { do: "connect", broker, host, receivers: addresses };
    await Promise.all(
      senders.map((worker, index) => worker.order({ ...connect, name: `sender-${index}` })),
    );
    return ends;
  }

  /** Each sender sends its share of `count` messages to every receiver. Messages that arrived in a second. */
  async measureThroughput(count: number): Promise<number> {
    const share = Math.ceil(count / this.#senders.length);
    const each = share * this.#senders.length;
    const expect = { do: "expect", count: each };
    await Promise.all(this.#receivers.map(async (worker) => worker.order(expect)));
    const arrivals = this.#receivers.map((worker) => worker.order({ do: "arrive" }));
    const begins = this.#senders.map((worker) => worker.order({ do: "send", count: share }));
    const began = (await Promise.all(begins)).map(({ beganMs }) => Number(beganMs));
    const arrived = (await Promise.all(arrivals)).map(({ atMs }) => Number(atMs));
    const tookMs = Math.max(...arrived) - Math.min(...began);
    return (each * this.#receivers.length * 1_000) / tookMs;
  }

  /** One question after the other. Microseconds of each. */
  async measureQuestions(count: number): Promise<readonly number[]> {
    const answer = await this.#senders[0]?.order({ do: "ask", count });
    return z.array(z.number()).parse(answer?.["tookUs"]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#senders.map(async (worker) => worker[Symbol.asyncDispose]()));
    await Promise.all(this.#receivers.map(async (worker) => worker[Symbol.asyncDispose]()));
  }
}
