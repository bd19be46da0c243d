// SPDX-License-Identifier: Apache-2.0
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { withFabric } from "#cli/join-fabric.ts";
import { renderRoute } from "#cli/render-route.ts";

function parseInput(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FairleadError(cliErrors["bad-value"], "the input is not JSON", {
      cause,
      facts: { input: text.slice(0, 200) },
      remedy: `put it in quotes: fairlead call researcher research/summarize '{"url":"x"}'`,
    });
  }
}

/** `fairlead call AGENT CONTRACT/METHOD [JSON]` */
export async function run(context: Context): Promise<number> {
  const { parsed, out, signal } = context;
  const [agent = "", method = "", text = "{}"] = parsed.arguments;
  const input = parseInput(text);
  if (!method.includes("/")) {
    throw new FairleadError(cliErrors["bad-value"], `"${method}" names no method`, {
      remedy: "write CONTRACT/METHOD, as `fairlead agents -o wide` lists them",
    });
  }
  const timeout = parsed.waitMs("timeout");
  const options = { signal, ...(timeout === undefined ? {} : { timeout }) };
  return withFabric(context, async (own) => {
    const explain = (): void => {
      if (!parsed.has("explain")) return;
      for (const line of renderRoute(own.explainRoute({ agent }), out.noteStyle)) out.warn(line);
    };
    try {
      if (parsed.has("stream")) {
        for await (const item of own.stream(agent, method, input, options))
          await out.stream(item, (one) => JSON.stringify(one));
        return EXIT.ok;
      }
      const answer = await own.call(agent, method, input, options);
      await out.stream(answer ?? null, (one) => JSON.stringify(one, null, 2));
      return EXIT.ok;
    } finally {
      explain();
    }
  });
}
