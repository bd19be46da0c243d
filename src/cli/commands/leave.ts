// SPDX-License-Identifier: Apache-2.0
import { rmSync } from "node:fs";
import type { NodeView } from "@fairlead/protocol/node.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { formatCount } from "#cli/format.ts";
import { prepareLeaving, tryToTell } from "#cli/leave-fleet.ts";
import { loadNodeSettings } from "#cli/load-node-settings.ts";
import { reloadNode } from "#cli/reload-node.ts";
import { refuseFixed } from "#cli/settings-edit.ts";
import { describeElsewhere, listHere } from "#cli/vacate-host.ts";
import { findPlaces, locateNodeFiles } from "#config/node-files.ts";

async function findOwn({ api }: Context): Promise<NodeView | undefined> {
  const { items } = await api.list<NodeView>("nodes");
  return items.find(({ self }) => self);
}

/** The node may belong to one all the same, by settings that are not this command's. */
async function describeNoFleet(context: Context): Promise<FairleadError> {
  const own = await findOwn(context);
  const { file } = loadNodeSettings(context, {});
  return own?.address === undefined
    ? new FairleadError(cliErrors["not-in-fleet"], "the settings of this node name no fleet")
    : describeElsewhere(own.name, file, undefined);
}

/** How many instances stay; 0 also where the node does not say so, which leaving does not wait for. */
async function countHere(context: Context): Promise<number> {
  try {
    const own = await findOwn(context);
    return own === undefined ? 0 : (await listHere(context, { self: own.name })).length;
  } catch {
    return 0;
  }
}

/** `fairlead leave` */
export async function run(context: Context): Promise<number> {
  const { out, parsed } = context;
  refuseFixed(loadNodeSettings(context, {}), ["fleet.name"]);
  const leaving = prepareLeaving(context);
  if (leaving === undefined) throw await describeNoFleet(context);
  const here = await countHere(context);
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
  if (here > 0)
    out.note(
      `${formatCount(here, "instance")} left running here; others may run the same now (fairlead down --scope SCOPE ends what is here)`,
    );
  return EXIT.ok;
}
