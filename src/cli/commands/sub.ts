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
    let drained: Promise<void> | undefined;
    let drain: () => Promise<void> = () => Promise.resolve();
    // What comes beyond the count is not begun: the node gives it to another, as if it had not been here.
    const end = (): void => {
      drained ??= drain();
      done.resolve();
    };
    const show = async (message: Message): Promise<void> => {
      if (seen >= countMax) throw new Error("enough has been shown");
      seen++;
      const { subject, from, attempt } = message;
      const item = { subject, from: from.name, attempt, data: readData(message) };
      await out.stream(item, (one) =>
        [one.subject, one.from, JSON.stringify(one.data)].filter((word) => word !== "").join("  "),
      );
      if (seen >= countMax) end();
    };
    const options = group === undefined ? {} : { group };
    if (parsed.has("keep")) {
      const consuming = await agent.on(pattern, show, { ...options, from: "start" });
      drain = () => consuming.drain();
    } else agent.hear(pattern, show, options);
    if (countMax <= 0) done.resolve();
    out.note(`hearing ${pattern} in ${agent.scope}`);
    await done.promise;
    await (drained ?? drain());
    return EXIT.ok;
  });
}
