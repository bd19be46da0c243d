// SPDX-License-Identifier: Apache-2.0
// Messages between processes of one machine, Fairlead's and its peers', round by round.
import type { Bench } from "./bench.ts";
import { openBroker } from "./peers/brokers.ts";
import { Ends } from "./peers/ends.ts";
import { ensurePeers } from "./peers/install.ts";

/** Messages of a round, so that each takes about as long. */
const MESSAGES: Readonly<Record<string, number>> = {
  fairlead: 1_000_000,
  nats: 300_000,
  tcp: 2_000_000,
  "tcp-write": 300_000,
  "grpc-js": 100_000,
  "grpc-js-batched": 1_000_000,
  mqtt: 100_000,
  moleculer: 30_000,
};
const ROUNDS = 5;
/** Rounds before those that count, for code to be compiled. */
const WARM_UP = 2;
/** Small turns, so that what else the machine does hits all subjects alike. */
const QUESTIONS = 200;
const QUESTION_ROUNDS = 100;
const QUESTION_WARM_UP = 25;

interface Shape {
  readonly metric: string;
  readonly senders: number;
  readonly receivers: number;
  readonly subjects: readonly string[];
}

const PAIR: Shape = {
  metric: "throughput_1_1",
  senders: 1,
  receivers: 1,
  subjects: Object.keys(MESSAGES),
};
const MANY = ["fairlead", "nats", "tcp", "mqtt"];
const FANS: readonly Shape[] = [
  { metric: "fan_in_8_1", senders: 8, receivers: 1, subjects: MANY },
  { metric: "fan_out_1_8", senders: 1, receivers: 8, subjects: MANY },
];

type Tools = Parameters<Bench["run"]>[0];
interface Measured {
  readonly subject: string;
  readonly ends: Ends;
}

async function openAll(shape: Shape, stack: AsyncDisposableStack): Promise<readonly Measured[]> {
  const { senders, receivers } = shape;
  const all: Measured[] = [];
  for (const subject of shape.subjects) {
    const { address: broker } = stack.use(await openBroker(subject));
    const ends = stack.use(await Ends.open({ subject, broker, senders, receivers }));
    all.push({ subject, ends });
  }
  return all;
}

async function measureThroughput(shape: Shape, { say, sample }: Tools): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const { metric, receivers } = shape;
  const all = await openAll(shape, stack);
  for (let round = 1 - WARM_UP; round <= ROUNDS; round++) {
    for (const { subject, ends } of all) {
      const value = await ends.measureThroughput((MESSAGES[subject] ?? 0) / receivers);
      say(`${metric} ${subject}: ${Math.round(value)} msg/s${round < 1 ? ", warming up" : ""}`);
      if (round > 0) sample({ metric, unit: "msg/s", subject, value });
    }
  }
}

async function measureQuestions({ say, sample }: Tools): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const all = await openAll(PAIR, stack);
  say(`request_reply_us: ${QUESTION_ROUNDS} rounds`);
  for (let round = 1 - QUESTION_WARM_UP; round <= QUESTION_ROUNDS; round++) {
    for (const { subject, ends } of all) {
      for (const value of await ends.measureQuestions(QUESTIONS))
        if (round > 0) sample({ metric: "request_reply_us", unit: "us", subject, value });
    }
  }
}

export const fabric: Bench = {
  name: "fabric",
  about:
    "128-byte messages and questions between processes, against NATS, plain TCP, gRPC, MQTT, Moleculer",
  async run(tools) {
    ensurePeers();
    await measureThroughput(PAIR, tools);
    await measureQuestions(tools);
    for (const fan of FANS) await measureThroughput(fan, tools);
  },
};
