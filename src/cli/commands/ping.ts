// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { withFabric } from "#cli/join-fabric.ts";

const COUNT = 5;
const PAUSE_MS = 200;

/** `fairlead ping AGENT` */
export async function run(context: Context): Promise<number> {
  const { parsed, out, signal } = context;
  const [agent = ""] = parsed.arguments;
  const size = parsed.count("size") ?? 0;
  const timeout = parsed.waitMs("timeout") ?? 5_000;
  return withFabric(context, async (own) => {
    for (let turn = 1; turn <= (parsed.count("count") ?? COUNT) && !signal.aborted; turn++) {
      if (turn > 1) await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
      const { tookMs, by } = await own.ping(agent, size, { timeout, signal });
      await out.stream(
        { turn, agent, by, ms: tookMs },
        (one) => `${one.by}  ${one.ms.toFixed(2)} ms`,
      );
    }
    return EXIT.ok;
  });
}
