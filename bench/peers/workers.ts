// SPDX-License-Identifier: Apache-2.0
// Processes that send and receive, as their parent sees them.
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const PROGRAM = fileURLToPath(new URL("worker.ts", import.meta.url));
const REPLY = z.union([
  z.object({ answer: z.record(z.string(), z.unknown()) }),
  z.object({ error: z.string() }),
]);
/** Longer than any round takes; what is lost on the way is found then. */
const PATIENCE_MS = 120_000;

/** A network namespace to run in, and the address there. */
export interface Place {
  readonly netns: string;
  readonly host: string;
}

/** One end of a subject in its own process. */
class Worker {
  readonly #subject: string;
  readonly #process: ChildProcess;

  constructor(subject: string, flags: readonly string[], place?: Place) {
    this.#subject = subject;
    const enter =
      place === undefined
        ? { execArgv: [...flags] }
        : {
            execPath: "nsenter",
            execArgv: [`--net=/run/netns/${place.netns}`, process.execPath, ...flags],
          };
    this.#process = fork(PROGRAM, [subject], enter);
  }

  /** Gives an order and waits for what comes of it. One order at a time. */
  async order(order: object): Promise<Readonly<Record<string, unknown>>> {
    this.#process.send(order);
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const [message] = await once(this.#process, "message", { signal }).catch(() => [
      { error: `no reply to ${JSON.stringify(order)}` },
    ]);
    const reply = REPLY.parse(message);
    if ("error" in reply) throw new Error(`${this.#subject}: ${reply.error}`);
    return reply.answer;
  }

  async end(): Promise<void> {
    const ended = once(this.#process, "exit");
    await this.order({ do: "end" }).catch(() => undefined);
    if (this.#process.connected) this.#process.disconnect();
    await ended;
  }
}

/** Senders and receivers of one subject, connected. */
export class Ends implements AsyncDisposable {
  readonly #senders: readonly Worker[];
  readonly #receivers: readonly Worker[];

  private constructor(senders: readonly Worker[], receivers: readonly Worker[]) {
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
    const start = (count: number, place: Place | undefined): Worker[] =>
      Array.from({ length: count }, () => new Worker(subject, flags, place));
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
    await Promise.all(this.#senders.map(async (worker) => worker.end()));
    await Promise.all(this.#receivers.map(async (worker) => worker.end()));
  }
}
