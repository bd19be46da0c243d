// SPDX-License-Identifier: Apache-2.0
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { findFabricScope } from "#cli/find-fabric-scope.ts";
import { withFabric } from "#cli/join-fabric.ts";

/** JSON stays JSON; anything else is a JSON string. */
function readData(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** `fairlead send SUBJECT TEXT`: exits 1 when nobody hears it. */
export async function run(context: Context): Promise<number> {
  const { parsed, out } = context;
  const [subject = "", text = ""] = parsed.arguments;
  const key = parsed.text("key");
  return withFabric(context, async (agent) => {
    if (parsed.has("keep")) {
      const published = await agent.publish(
        subject,
        readData(text),
        key === undefined ? {} : { key },
      );
      await out.stream(
        { subject, scope: agent.scope, ...published },
        (one) => `kept as ${one.sequence}`,
      );
      return EXIT.ok;
    }
    const reached = await agent.reach(subject);
    await agent.emit(subject, readData(text), key === undefined ? {} : { key });
    const scope = findFabricScope(context);
    await out.stream({ subject, scope, reached }, () =>
      reached === 0 ? `nobody in ${scope} hears ${subject}` : `sent to ${reached}`,
    );
    return reached === 0 ? EXIT.no : EXIT.ok;
  });
}
