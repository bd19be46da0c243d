// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import type { Settings } from "#config/settings.ts";
import { REGISTRY_PREFIX } from "#discovery/registry/registry-keys.ts";
import { copyStore, type Copied } from "#store/copy-store.ts";
import { openStore } from "#store/open.ts";
import { describeStore } from "./open-node-store.ts";

type Kind = Settings["store"]["kind"];

/**
 * Copies what one store has into an empty one of the other kind, and compares them. The source stays as it is. What hangs
 * on leases is left out: whoever put it puts it again.
 */
export async function migrateStore(
  { from, to, settings }: { readonly from: Kind; readonly to: Kind; readonly settings: Settings },
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<Copied> {
  await using source = await openStore(await describeStore(from, settings, logger), { clock });
  await using target = await openStore(await describeStore(to, settings, logger), { clock });
  // Awaited here: both stores are closed when this function is left.
  return await copyStore(source, target, { leaveOut: REGISTRY_PREFIX });
}
