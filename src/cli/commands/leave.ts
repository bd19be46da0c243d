// SPDX-License-Identifier: Apache-2.0
import { rmSync } from "node:fs";
import type { NodeView } from "@fairlead/protocol/node.ts";
import { FairleadError } from "#base/errors.ts";
import { findPlaces, locateNodeFiles } from "#config/node-files.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { prepareLeaving, tryToTell } from "#cli/leave-fleet.ts";
import { loadNodeSettings } from "#cli/load-node-settings.ts";
import { reloadNode } from "#cli/reload-node.ts";
import { refuseFixed } from "#cli/settings-edit.ts";
import { describeElsewhere } from "#cli/vacate-host.ts";

/** The node may belong to one all the same, by settings that are not this command's. */
async function describeNoFleet(context: Context): Promise<FairleadError> {
  const { items } = await context.api.list<NodeView>("nodes");
  const own = items.find(({ self }) => self);
  const { file } = loadNodeSettings(context, {});
  return own?.address === undefined
    ? new FairleadError(cliErrors["not-in-fleet"], "the settings of this node name no fleet")
    : describeElsewhere(own.name, file, undefined);
}

/** `fairlead leave` */
export async function run(context: Context): Promise<number> {
  const { out, parsed } = context;
  refuseFixed(loadNodeSettings(context, {}), ["fleet.name"]);
  const leaving = prepareLeaving(context);
  if (leaving === undefined) throw await describeNoFleet(context);
  if (parsed.has("force")) await tryToTell(context, leaving);
  else await leaving.tell();
  leaving.putBack();
  const { settings } = loadNodeSettings(context, {});
  if (leaving.staysNamed)
    out.warn(
      `warning: fleet.name in ${leaving.path} was not written by fairlead join and stays; take it away, or the node enters again when it starts`,
    );
  await reloadNode(context, { start: false });
  rmSync(locateNodeFiles(findPlaces(settings)).fleetCa, { force: true });
  out.note(`left ${leaving.fleet}${leaving.isWritten ? `; put back ${leaving.path}` : ""}`);
  return EXIT.ok;
}
