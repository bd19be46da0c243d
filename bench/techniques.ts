// SPDX-License-Identifier: Apache-2.0
// What each technique of the fabric brings: Fairlead with it, and the same without.
import { createNamespace } from "#lab/engine.ts";
import { openLedger } from "#lab/ledger.ts";
import { runProgram } from "#lab/run-program.ts";
import { ensurePackages } from "../scripts/setup.ts";
import type { Bench } from "./bench.ts";
import { openBroker } from "./peers/brokers.ts";
import { Ends } from "./peers/ends.ts";
import type { Place } from "./worker-process.ts";

const ROUNDS = 5;
const WARM_UP = 2;
const MESSAGES = 300_000;
/** A range for documentation, so that no network of the machine is meant. */
const HOSTS = ["198.51.100.1", "198.51.100.2"] as const;
const RATE = ["rate", "100mbit", "burst", "64kb", "latency", "100ms"];

interface Places {
  readonly senders: Place;
  readonly receivers: Place;
}

interface Technique {
  readonly metric: string;
  readonly unit: string;
  /** Subjects of `bench/peers` with and without it. */
  readonly on: string;
  readonly off: string;
  /** Values of one round. */
  measure(ends: Ends): Promise<readonly number[]>;
}

const TECHNIQUES: readonly Technique[] = [
  {
    metric: "streaming_100_items_us",
    unit: "us",
    on: "fairlead-streaming",
    off: "fairlead-unary",
    measure: async (ends) => ends.measureQuestions(100),
  },
  {
    metric: "batching_us_a_message",
    unit: "us",
    on: "fairlead",
    off: "fairlead-unbatched",
    measure: async (ends) => [1_000_000 / (await ends.measureThroughput(MESSAGES))],
  },
  {
    metric: "reuse_us_an_exchange",
    unit: "us",
    on: "link-kept",
    off: "link-redialled",
    measure: async (ends) => ends.measureQuestions(200),
  },
];

const COMPRESSION: Technique = {
  metric: "compression_1_mib_100_mbit_ms",
  unit: "ms",
  on: "fairlead-compressed",
  off: "fairlead-uncompressed",
  measure: async (ends) => (await ends.measureQuestions(10)).map((tookUs) => tookUs / 1_000),
};

type Tools = Parameters<Bench["run"]>[0];

async function measure(technique: Technique, tools: Tools, places?: Places): Promise<void> {
  const { metric, unit } = technique;
  await using stack = new AsyncDisposableStack();
  const all: { readonly subject: string; readonly ends: Ends }[] = [];
  for (const [subject, peer] of [
    ["fairlead", technique.on],
    ["without", technique.off],
  ] as const) {
    const { address: broker } = stack.use(await openBroker(peer));
    const options = { subject: peer, broker, senders: 1, receivers: 1 };
    const opened = await Ends.open({ ...options, ...(places === undefined ? {} : { places }) });
    all.push({ subject, ends: stack.use(opened) });
  }
  for (let round = 1 - WARM_UP; round <= ROUNDS; round++) {
    for (const { subject, ends } of all) {
      const values = await technique.measure(ends);
      if (round < 1) continue;
      for (const value of values) tools.sample({ metric, unit, subject, value });
    }
  }
  tools.say(`${metric}: done`);
}

/** Two namespaces joined by a cable of 100 Mbit/s in each direction. */
function layCable(): Places & Disposable {
  const ledger = openLedger();
  try {
    const [a, b] = [`${ledger.tag}-a`, `${ledger.tag}-b`];
    createNamespace(ledger, a);
    createNamespace(ledger, b);
    const far = ["peer", "name", "eth0", "netns", b];
    runProgram("ip", ["-n", a, "link", "add", "eth0", "type", "veth", ...far]);
    for (const [netns, host] of [
      [a, HOSTS[0]],
      [b, HOSTS[1]],
    ] as const) {
      runProgram("ip", ["-n", netns, "address", "add", `${host}/24`, "dev", "eth0"]);
      runProgram("ip", ["-n", netns, "link", "set", "eth0", "up"]);
      runProgram("tc", ["-n", netns, "qdisc", "add", "dev", "eth0", "root", "tbf", ...RATE]);
    }
    return {
      senders: { netns: a, host: HOSTS[0] },
      receivers: { netns: b, host: HOSTS[1] },
      [Symbol.dispose]: () => ledger.clear(),
    };
  } catch (thrown) {
    ledger.clear();
    throw thrown;
  }
}

export const techniques: Bench = {
  name: "techniques",
  about: "what streaming, batching, reuse of connections and compression bring: each on and off",
  async run(tools) {
    ensurePackages([
      { program: "ip", package: "iproute2" },
      { program: "tc", package: "iproute2" },
      { program: "nsenter", package: "util-linux" },
    ]);
    for (const technique of TECHNIQUES) await measure(technique, tools);
    using cable = layCable();
    await measure(COMPRESSION, tools, cable);
  },
};
