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

/** Brings up all that was taken down. */
export async function reopenPorts(ip: IpRunner): Promise<void> {
  let ports: readonly Link[];
  try {
    const links = readLinks(await ip.ask("ip", ["link", "show"]));
    ports = links.filter(({ ifalias }) => ifalias === MARK);
  } catch (thrown) {
    // Without the program nothing was taken down.
    if (isKind(thrown, netfilterErrors["ip-tools"])) return;
    throw thrown;
  }
  await ip.batch(
    "ip",
    ports.flatMap(({ ifname }) => [`link set dev ${ifname} up`, `link set dev ${ifname} alias ""`]),
  );
}
