// SPDX-License-Identifier: Apache-2.0
// The same conversation as in the group, with hosts that are named: where multicast does not pass.
import { createHmac } from "node:crypto";
import { checkOptions, type MulticastOptions } from "./multicast-options.ts";
import { openSeedCarrier, type SeedCarrierOptions } from "./open-seed-carrier.ts";
import { startMember, type MulticastDiscovery, type MulticastParts } from "./start-member.ts";

export type SeedOptions = SeedCarrierOptions &
  Pick<MulticastOptions, "sender" | "secret" | "heartbeatMs" | "skewMsMax">;

/** A key of its own: what was caught in the group proves nothing here. */
function deriveSecret(secret: Uint8Array): Uint8Array {
  return createHmac("sha256", secret).update("fairlead seeds 1").digest();
}

/** Listens, and speaks to the seeds. Throws as `joinMulticast`. Disposing says farewell. */
export async function joinSeeds(
  { listen, seeds, ...options }: SeedOptions,
  parts: MulticastParts,
): Promise<MulticastDiscovery<"seeds">> {
  // Checked before it is made longer.
  const checked = { ...checkOptions(options), secret: deriveSecret(options.secret) };
  const carrier = await openSeedCarrier({ listen, seeds }, parts.clock);
  return startMember("seeds", { ...checked, carrier }, parts);
}
