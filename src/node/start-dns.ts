// SPDX-License-Identifier: Apache-2.0
// The node's DNS server, where it is switched on.
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import type { Settings } from "#config/settings.ts";
import { createAskerDoor, type AskerDoor } from "#discovery/dns/askers.ts";
import { serveDns } from "#discovery/dns/serve-dns.ts";
import { createZone, type Zone } from "#discovery/dns/zone.ts";

const DNS_PORT = 53;
/** Resolvers read three lines of name servers. */
const FURTHER_MAX = 2;

interface Place {
  readonly address: string;
  readonly port: number;
}

function parsePlace(text: string): Place {
  const at = text.lastIndexOf(":");
  return { address: text.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(text.slice(at + 1)) };
}

/** Name servers of the host, without those on which this one listens. */
function readResolvConf(own: Place): readonly Place[] {
  let text = "";
  try {
    text = readFileSync("/etc/resolv.conf", "utf8");
  } catch {
    return [];
  }
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)]
    .map(([, address = ""]) => ({ address, port: DNS_PORT }))
    .filter(
      ({ address, port }) => isIP(address) !== 0 && (address !== own.address || port !== own.port),
    );
}

/** Whether a container can ask it too: the host's loopback is not its own, and of a name server it is told the address alone. */
const isReachable = ({ address, port }: Place): boolean =>
  port === DNS_PORT && !/^127\.|^::1$/.test(address);

function listReachable(upstreams: readonly Place[]): readonly string[] {
  return upstreams
    .filter(isReachable)
    .map(({ address }) => address)
    .slice(0, FURTHER_MAX);
}

export interface RunningDns extends AsyncDisposable {
  readonly zone: Zone;
  /**
   * Name servers to give to containers: this one, then those that it asks, so that other names are found while the node is
   * away. None when containers cannot ask this one: on loopback, or on another port than the usual one.
   */
  readonly forContainers: readonly string[];
  /** Where it listens. */
  readonly address: string;
  readonly askers: AskerDoor;
}

/** Starts to answer; undefined when it is off. Throws what `serveDns` throws. */
export async function startDns(
  settings: Settings,
  parts: { readonly clock: Clock; readonly logger: Logger },
): Promise<RunningDns | undefined> {
  const { listen, upstreams } = settings.dns;
  if (listen === "off") return undefined;
  const own = parsePlace(listen);
  const zone = createZone({ serverAddresses: [own.address], isFilling: true });
  const others =
    upstreams === ""
      ? readResolvConf(own)
      : upstreams.split(",").map((one) => parsePlace(one.trim()));
  const askers = createAskerDoor();
  const server = await serveDns({ zone, listen: [own], upstreams: others, askers }, parts);
  return {
    zone,
    askers,
    address: own.address,
    forContainers: isReachable(own) ? [own.address, ...listReachable(others)] : [],
    [Symbol.asyncDispose]: async () => server[Symbol.asyncDispose](),
  };
}
