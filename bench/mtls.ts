// SPDX-License-Identifier: Apache-2.0
// What mutual TLS costs between two agents: the same messages and questions with the certificates that say who they are, as a
// node gives them to its containers, and without, in turns.
import type { Bench } from "./bench.ts";
import { openBroker } from "./peers/brokers.ts";
import { Ends } from "./peers/ends.ts";

const SUBJECTS = ["fairlead-mtls", "fairlead"];
const ROUNDS = 7;
const WARM_UP = 2;
const MESSAGES = 600_000;
const QUESTIONS = 200;
const QUESTION_ROUNDS = 60;
const QUESTION_WARM_UP = 15;
/** As reports call them: what is measured is Fairlead with certificates, its peer is without. */
const NAMES: Readonly<Record<string, string>> = { "fairlead-mtls": "fairlead", fairlead: "plain" };

export const mtls: Bench = {
  name: "mtls",
  about:
    "128-byte messages and questions between two agents, with the certificates of their identities and without",
  async run({ say, sample }) {
    await using stack = new AsyncDisposableStack();
    const all: { readonly subject: string; readonly ends: Ends }[] = [];
    for (const name of SUBJECTS) {
      const { address: broker } = stack.use(await openBroker(name));
      const ends = stack.use(await Ends.open({ subject: name, broker, senders: 1, receivers: 1 }));
      all.push({ subject: NAMES[name] ?? name, ends });
    }
    for (let round = 1 - WARM_UP; round <= ROUNDS; round++) {
      for (const { subject, ends } of all) {
        const value = await ends.measureThroughput(MESSAGES);
        say(
          `throughput_1_1 ${subject}: ${Math.round(value)} msg/s${round < 1 ? ", warming up" : ""}`,
        );
        if (round > 0) sample({ metric: "throughput_1_1", unit: "msg/s", subject, value });
      }
    }
    say(`request_reply_us: ${QUESTION_ROUNDS} rounds`);
    for (let round = 1 - QUESTION_WARM_UP; round <= QUESTION_ROUNDS; round++) {
      for (const { subject, ends } of all) {
        for (const value of await ends.measureQuestions(QUESTIONS))
          if (round > 0) sample({ metric: "request_reply_us", unit: "us", subject, value });
      }
    }
  },
};
