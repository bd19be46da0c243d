// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { formatCount } from "#cli/format.ts";
import { loadNodeSettings } from "#cli/load-node-settings.ts";
import type { Settings } from "#config/settings.ts";
import { readStorePlace } from "#config/store-endpoints.ts";

type Kind = Settings["store"]["kind"];

/** A node would go on writing to the store that is left behind. */
async function refuseRunningNode(context: Context): Promise<void> {
  if (!existsSync(context.socket)) return;
  try {
    await context.api.call("GET", "status");
  } catch (thrown) {
    if (thrown instanceof FairleadError && thrown.kind === cliErrors["node-unreachable"]) return;
    throw thrown;
  }
  throw new FairleadError(cliErrors["node-runs"], "a node answers, and would go on writing", {
    facts: { socket: context.socket },
  });
}

function readTarget(text: string | undefined): Kind {
  if (text === "etcd" || text === "consul" || text === "sqlite") return text;
  throw new FairleadError(cliErrors["missing-argument"], "--to is missing", {
    remedy: "fairlead store migrate --to etcd, --to consul or --to sqlite",
  });
}

/** Which store with addresses is left: the one that this node has, or the one that is named. */
function readSource({ kind, endpoints }: Settings["store"]): Kind {
  return readStorePlace({ kind, endpoints }).kind;
}

/** `fairlead store migrate --to KIND` */
export async function run(context: Context): Promise<number> {
  const { out, parsed } = context;
  const { settings } = loadNodeSettings(context, {}, { file: parsed.text("config") });
  const to = readTarget(parsed.text("to"));
  const from = to === "sqlite" ? readSource(settings.store) : "sqlite";
  await refuseRunningNode(context);
  const { entries, left } = await context.migrateStore({ from, to, settings });
  const again = left === 0 ? "" : `${left} of discovery left out, which come again by themselves; `;
  out.note(
    `copied ${formatCount(entries, "entry")} from ${from} to ${to} and compared them; ` +
      `${again}the ${from} store stays as it was`,
  );
  if (settings.store.kind !== to)
    out.note(`now say store.kind: ${to} in the settings, and start the node`);
  return EXIT.ok;
}
