// SPDX-License-Identifier: Apache-2.0
// Where no rules can be made, nftables missing or refusing, networks with policies carry nothing: their ports are taken down, all but
// those of instances that are ready. What was taken down is marked on the device, so that any later life brings it up again.
import { isKind } from "#base/errors.ts";
import { netfilterErrors } from "#netfilter/errors.ts";
import type { IpRunner } from "#netfilter/run-ip.ts";
import { readLinks, type Link } from "./read-links.ts";

const MARK = "fairlead: no policy can be enforced here";

/** Takes ports of bridges down, by the numbers of those that stay; devices of the host itself stay too. */
export async function shutPorts(
  ip: IpRunner,
  links: readonly Link[],
  bridges: ReadonlySet<string>,
  isReady: (ifindex: number) => boolean,
): Promise<void> {
  const ports = links.filter(
    ({ master = "", ifindex, linkinfo }) =>
      bridges.has(master) && linkinfo?.info_kind === "veth" && !isReady(ifindex),
  );
  await ip.batch(
    "ip",
    ports.flatMap(({ ifname }) => [
      `link set dev ${ifname} alias "${MARK}"`,
      `link set dev ${ifname} down`,
    ]),
  );
}

/** Brings up all of these that were taken down. */
export async function reopenPorts(ip: IpRunner, links: readonly Link[]): Promise<void> {
  const ports = links.filter(({ ifalias }) => ifalias === MARK);
  await ip.batch(
    "ip",
    ports.flatMap(({ ifname }) => [`link set dev ${ifname} up`, `link set dev ${ifname} alias ""`]),
  );
}

/** The host's devices; none where the program is missing, by which none can have been taken down. */
export async function listPorts(ip: IpRunner): Promise<readonly Link[]> {
  try {
    return readLinks(await ip.ask("ip", ["link", "show"]));
  } catch (thrown) {
    if (isKind(thrown, netfilterErrors["ip-tools"])) return [];
    throw thrown;
  }
}
