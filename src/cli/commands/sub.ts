// SPDX-License-Identifier: Apache-2.0
import type { Message } from "@fairlead/sdk";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { withFabric } from "#cli/join-fabric.ts";

function readData({ bytes }: Message): unknown {
  const text = Buffer.from(bytes).toString("utf8");
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** `fairlead sub PATTERN`: goes on until interrupted, or until `--count` messages have come. */
export async function run(context: Context): Promise<number> {
  const { parsed, out, signal } = context;
  const [pattern = ""] = parsed.arguments;
  const group = parsed.text("group");
  const countMax = parsed.count("count") ?? Number.POSITIVE_INFINITY;
  return withFabric(context, async (agent) => {
    const done = Promise.withResolvers<void>();
    let seen = 0;
    signal.addEventListener("abort", () => done.resolve(), { once: true });
    void agent.closed.then(() => done.resolve());
    agent.hear(
      pattern,
      async (message) => {
        if (seen >= countMax) return;
        seen++;
        const item = { subject: message.subject, from: message.from.name, data: readData(message) };
        await out.stream(item, (one) => `${one.subject}  ${one.from}  ${JSON.stringify(one.data)}`);
        if (seen >= countMax) done.resolve();
      },
      group === undefined ? {} : { group },
    );
    if (countMax <= 0) done.resolve();
    out.note(`hearing ${pattern} in ${agent.scope}`);
    await done.promise;
    return EXIT.ok;
  });
}
