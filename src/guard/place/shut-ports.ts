// SPDX-License-Identifier: Apache-2.0
// Where no gate can be made, programs missing or refusing, networks with policies carry nothing: their ports are taken down, all but
// those of instances that are ready. What was taken down is marked on the device, so that any later life brings it up again.
import { FairleadError, isKind } from "#base/errors.ts";
import { guardErrors } from "#guard/errors.ts";
import { netfilterErrors } from "#netfilter/errors.ts";
import type { IpRunner } from "#netfilter/run-ip.ts";
import { readLinks, type Link } from "./read-links.ts";

const MARK = "fairlead: no policy can be enforced here";

/** Which ports are meant. */
export interface ShutOrder {
  readonly links: readonly Link[];
  readonly bridges: ReadonlySet<string>;
  /** By their numbers, those that stay; devices of the host itself stay too. */
  readonly isReady: (ifindex: number) => boolean;
}

/** Takes ports of bridges down. */
async function shutPorts(ip: IpRunner, { links, bridges, isReady }: ShutOrder): Promise<void> {
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

/** Takes ports down since no gate could be made. Throws FL1704 `guard-impossible`, with what was thrown as its cause. */
export async function shutAll(ip: IpRunner, order: ShutOrder, thrown: unknown): Promise<never> {
  await shutPorts(ip, order);
  throw new FairleadError(
    guardErrors["guard-impossible"],
    `networks with policies carry nothing: ${FairleadError.from(thrown).message}`,
    { cause: thrown },
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
