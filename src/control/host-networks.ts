// SPDX-License-Identifier: Apache-2.0
// Networks that a host has besides those that span hosts: where one of these had the same addresses, packets for it would
// go astray there. Pure.
import { formatBlock, overlaps, type Block } from "#base/addresses.ts";
import { FairleadError } from "#base/errors.ts";
import { controlErrors } from "./errors.ts";
import { parseBlocks, type OverlayPicture } from "./overlay-entries.ts";

/** Addresses that a host reaches by one of its devices. */
export interface HostNetwork {
  readonly device: string;
  readonly block: Block;
}

/** The first of a host's networks that has an address of these blocks. */
function findClash(blocks: readonly Block[], own: readonly HostNetwork[]): HostNetwork | undefined {
  return own.find(({ block }) => blocks.some((one) => overlaps(one, block)));
}

/** Throws FL0720 `overlay-ranges`, with the device, where a host reaches other things at addresses of the network. */
export function refuseClash(
  name: string,
  subnets: readonly string[],
  own: readonly HostNetwork[],
  remedy?: (device: string) => string,
): void {
  const clash = findClash(parseBlocks(subnets), own);
  if (clash === undefined) return;
  throw new FairleadError(
    controlErrors["overlay-ranges"],
    `the network ${name} has addresses that this host has on ${clash.device}`,
    {
      facts: { network: subnets.join(" "), [clash.device]: formatBlock(clash.block) },
      ...(remedy === undefined ? {} : { remedy: remedy(clash.device) }),
    },
  );
}

/** Throws FL0720 `overlay-ranges` for the first network of a fleet that this host could not take part in. */
export function refuseClashes(picture: OverlayPicture, own: readonly HostNetwork[]): void {
  for (const name of picture.names())
    refuseClash(
      name,
      picture.get(name)?.definition?.subnets ?? [],
      own,
      (device) =>
        `give ${device} of this host other addresses (\`docker network ls\`, \`docker network rm\` for one of Docker's), or make ${name} anew with other subnets in its file`,
    );
}
