// SPDX-License-Identifier: Apache-2.0
import type { RouteBoard } from "@fairlead/fabric/route-board.ts";
import type { AuditLog } from "#audit/audit.ts";
import type { Clock, Random } from "#base/clock.ts";
import { createId } from "#base/ids.ts";
import type { Logger } from "#base/logger.ts";
import { findPlaces, locateNodeFiles } from "#config/node-files.ts";
import type { Settings } from "#config/settings.ts";
import type { RightsJudge } from "#control/rights/rights-desk.ts";
import type { Fabric } from "#fabric/fabric.ts";
import { openFabric } from "#fabric/open.ts";
import { noteRefusals } from "./note-refusals.ts";
import { describeLinks } from "./start-links.ts";
import { askRights } from "./start-rights.ts";
import { readToken } from "./token-file.ts";

interface FabricHands {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly audit: Pick<AuditLog, "note">;
}

const DAY_MS = 86_400_000;

/** The fabric's socket lies in a directory of its own, so that it can be given away without the API's. */
export async function startFabric(
  parts: FabricHands,
  routes: RouteBoard,
  rights: RightsJudge,
): Promise<Fabric> {
  const { settings, clock, random, logger, audit } = parts;
  const files = locateNodeFiles(findPlaces(settings));
  return openFabric(
    {
      node: { id: createId("node", clock.nowMs(), random), name: settings.nodeName },
      socket: files.fabricSocket,
      listen: settings.fabric.listen,
      route: settings.fabric.route,
      ...(settings.fabric.certFile === "" ? {} : { tls: settings.fabric }),
      logPath: files.messageLog,
      keepGroupsMs: settings.fabric.keepGroupsDays * DAY_MS,
      secret: await readToken(files.fabricSecret),
      ...(await describeLinks(settings)),
    },
    {
      routes,
      rights: askRights(rights),
      clock,
      random,
      logger,
      onRefused: noteRefusals(audit, clock, "join of an agent"),
    },
  );
}
