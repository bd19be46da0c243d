// SPDX-License-Identifier: Apache-2.0
// What `leave` and `uninstall` have in common: the fleet is told, and the settings are put back.
import type { NodeFarewell } from "@fairlead/protocol/node.ts";
import { FairleadError } from "#base/errors.ts";
import { parseSettingsFile } from "#config/settings-file.ts";
import type { Context } from "./context.ts";
import { loadNodeSettings } from "./load-node-settings.ts";
import { readReason } from "./send-action.ts";
import { prepareRestore } from "./settings-edit.ts";

/** A way out of a fleet that is prepared and not gone. */
export interface Leaving {
  /** The fleet's name. */
  readonly fleet: string;
  /** The settings file. */
  readonly path: string;
  /** Whether `join` wrote something into it. */
  readonly isWritten: boolean;
  /** Whether the settings name a fleet still once they are put back: by a line that `join` did not write. */
  readonly staysNamed: boolean;
  /** Lets the node say farewell. Throws what the node says. */
  tell(): Promise<void>;
  /** Puts the settings back; the node has not read them yet. */
  putBack(): void;
}

/** Undefined when the settings name no fleet. Throws FL0608 when they cannot be written. */
export function prepareLeaving(context: Context): Leaving | undefined {
  const loaded = loadNodeSettings(context, {});
  const fleet = loaded.settings.fleet.name;
  if (fleet === "") return undefined;
  const edit = prepareRestore(context, loaded);
  return {
    fleet,
    path: edit.path,
    isWritten: edit.isChange,
    staysNamed: parseSettingsFile(edit.path, edit.text ?? "").entries.some(
      ({ path }) => path === "fleet.name",
    ),
    async tell() {
      await context.api.call<NodeFarewell>("POST", "fleet/leave", { query: readReason(context) });
    },
    putBack: edit.write,
  };
}

/** Tells the fleet if it can be told, and says so when it cannot. */
export async function tryToTell({ out }: Context, leaving: Leaving): Promise<void> {
  try {
    await leaving.tell();
  } catch (thrown) {
    const { message } = FairleadError.from(thrown);
    out.warn(
      `warning: ${leaving.fleet} was not told: ${message}; on another of its nodes: fairlead nodes rm NAME`,
    );
  }
}
