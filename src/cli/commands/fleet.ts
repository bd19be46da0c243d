// SPDX-License-Identifier: Apache-2.0
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { enterFleet, readNamedFile } from "#cli/enter-fleet.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { loadNodeSettings } from "#cli/load-node-settings.ts";

/** `fairlead fleet create NAME` */
export async function run(context: Context): Promise<number> {
  const { out, parsed } = context;
  const [, fleet] = parsed.arguments;
  if (fleet === undefined)
    throw new FairleadError(cliErrors["missing-argument"], "the fleet needs a name", {
      remedy: "fairlead fleet create harbour --store HOST:PORT,HOST:PORT",
    });
  const { settings } = loadNodeSettings(context, {});
  const caFile = parsed.text("ca-file") ?? settings.store.caFile;
  const { address } = await enterFleet(context, {
    fleet,
    endpoints: (parsed.text("store") ?? settings.store.endpoints).split(","),
    ...(caFile === "" ? {} : { ca: readNamedFile(context, caFile) }),
  });
  if (/^127\.|^::1$/.test(address))
    out.warn(
      `warning: ${address} is reached from this host only; --address says where other hosts reach it`,
    );
  out.note(`began the fleet ${fleet} at ${address}; other hosts join with a token:`);
  out.note("  fairlead token create");
  return EXIT.ok;
}
