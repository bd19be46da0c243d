// SPDX-License-Identifier: Apache-2.0
import type { NodeStatus } from "@fairlead/protocol/views.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { VERSION_OF_API } from "#cli/output.ts";

async function askNode(context: Context): Promise<NodeStatus | undefined> {
  if (context.parsed.has("client")) return undefined;
  try {
    return await context.api.call<NodeStatus>("GET", "status");
  } catch (thrown) {
    const silent = [cliErrors["node-unreachable"].id, cliErrors["node-forbidden"].id];
    if (thrown instanceof FairleadError && silent.includes(thrown.kind.id)) return undefined;
    throw thrown;
  }
}

/** `fairlead version` */
export async function run(context: Context): Promise<number> {
  const status = await askNode(context);
  const versions = {
    client: context.version,
    api: VERSION_OF_API,
    runtime: process.versions.node,
    ...(status === undefined
      ? {}
      : { node: status.version, engine: status.engine.version ?? "unknown" }),
  };
  await context.out.document(versions, {
    kind: "Version",
    name: (item) => item.client,
    text: (item) => [
      `fairlead ${item.client} (API ${item.api}, Node.js ${item.runtime})`,
      ...(status === undefined
        ? []
        : [
            `node     ${status.version} on ${status.node}, engine ${status.engine.version ?? "unknown"}`,
          ]),
    ],
  });
  return EXIT.ok;
}
