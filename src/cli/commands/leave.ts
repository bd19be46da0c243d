// SPDX-License-Identifier: Apache-2.0
import { rmSync } from "node:fs";
import type { NodeFarewell } from "@fairlead/protocol/node.ts";
import { FairleadError } from "#base/errors.ts";
import { findPlaces, locateNodeFiles } from "#config/node-files.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { loadNodeSettings } from "#cli/load-node-settings.ts";
import { reloadNode } from "#cli/reload-node.ts";
import { readReason } from "#cli/send-action.ts";
import { prepareRestore, refuseFixed } from "#cli/settings-edit.ts";

/** `fairlead leave` */
export async function run(context: Context): Promise<number> {
  const { api, out, parsed } = context;
  const loaded = loadNodeSettings(context, {});
  const { fleet } = loaded.settings;
  if (fleet.name === "")
    throw new FairleadError(cliErrors["not-in-fleet"], "the settings of this node name no fleet");
  refuseFixed(loaded, ["fleet.name"]);
  const edit = prepareRestore(context, loaded);
  if (!parsed.has("force"))
    await api.call<NodeFarewell>("POST", "fleet/leave", { query: readReason(context) });
  edit.write();
  const after = loadNodeSettings(context, {}).settings;
  if (after.fleet.name !== "")
    out.warn(
      `warning: fleet.name in ${edit.path} was not written by fairlead join and stays; take it away, or the node enters again when it starts`,
    );
  await reloadNode(context);
  rmSync(locateNodeFiles(findPlaces(after)).fleetCa, { force: true });
  const told = parsed.has("force")
    ? "; the others were not told (fairlead nodes rm on one of them)"
    : "";
  out.note(`left ${fleet.name}; put back ${edit.path}${told}`);
  return EXIT.ok;
}
