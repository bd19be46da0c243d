// SPDX-License-Identifier: Apache-2.0
// Discovery without configuration: hosts of one network tell each other what runs on them.
import { checkOptions, type MulticastOptions } from "./multicast-options.ts";
import { openGroupCarrier } from "./open-group-carrier.ts";
import { startMember, type MulticastDiscovery, type MulticastParts } from "./start-member.ts";

/** Joins the group. Throws `multicast-option` and `multicast-unavailable`. Disposing says farewell. */
export async function joinMulticast(
  options: MulticastOptions,
  parts: MulticastParts,
): Promise<MulticastDiscovery<"multicast">> {
  const checked = checkOptions(options);
  const carrier = await openGroupCarrier(checked);
  return startMember("multicast", { ...checked, carrier }, parts);
}
