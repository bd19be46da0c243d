// SPDX-License-Identifier: Apache-2.0
// The DNS server of a node: a zone, the sockets it is asked on, and the way to the world outside.
import { isIP } from "node:net";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { discoveryErrors } from "#discovery/errors.ts";
import type { AskerJudge } from "./askers.ts";
import { createClientCheck, PRIVATE_NETWORKS } from "./client-networks.ts";
import type { Endpoint } from "./exchange.ts";
import { createForwarder, type Forwarder, type ForwarderCounters } from "./forwarder.ts";
import {
  createMessageHandler,
  type MessageCounters,
  type MessageHandler,
} from "./handle-message.ts";
import { listenTcp, type TcpLimits, type TcpListener } from "./listen-tcp.ts";
import { listenUdp, type UdpListener } from "./listen-udp.ts";
import type { ZoneView } from "./zone.ts";

export interface DnsServerOptions {
  readonly zone: ZoneView;
  /** Addresses to be asked on, over UDP and TCP. Port 0 takes a free one, the same for both. */
  readonly listen: readonly Endpoint[];
  /** Seconds for which clients may remember an address; 0 to 5. Default 2. */
  readonly ttlSeconds?: number;
  /** Seconds for which clients may remember that there is nothing; 0 to 5. Default 1. */
  readonly negativeTtlSeconds?: number;
  /** Name servers for all other names, in the order to ask them. None: other names are refused. */
  readonly upstreams?: readonly Endpoint[];
  /** Networks whose hosts may have other names looked up. Default: private networks. */
  readonly clientNetworks?: readonly string[];
  /** Questions a second of one source; more are sent to TCP or dropped. Default 5,000. */
  readonly queriesPerSecondMax?: number;
  /** How long one upstream is waited for, and all of them together. Defaults 1,500 and 4,000. */
  readonly upstreamAttemptMs?: number;
  readonly upstreamDeadlineMs?: number;
  /**
   * Withholds answers from upstream that name a private address (DNS rebinding). Default false: a company's own names have
   * such addresses.
   */
  readonly refusePrivateAnswers?: boolean;
  /** Who may ask for which other names. Default: every client for all. */
  readonly askers?: AskerJudge;
  readonly tcp?: Partial<TcpLimits>;
}

export interface DnsServer extends AsyncDisposable {
  /** Where it listens, with the ports it got. */
  readonly endpoints: readonly Endpoint[];
  /** Counts since the start. */
  readCounters(): Readonly<MessageCounters & ForwarderCounters>;
}

export interface DnsServerParts {
  readonly clock: Clock;
  readonly logger: Logger;
}

const TTL_SECONDS_MAX = 5;
const EXCHANGES_MAX = 512;
const PORT_TRIES = 10;
const TCP_LIMITS: TcpLimits = {
  connectionsMax: 256,
  connectionsPerSourceMax: 32,
  idleMs: 10_000,
  lifeMs: 120_000,
};
const NO_FORWARDS: ForwarderCounters = {
  forwarded: 0,
  shared: 0,
  failed: 0,
  loops: 0,
  overloaded: 0,
  forbidden: 0,
};

function checkEndpoint({ address, port }: Endpoint): void {
  if (isIP(address) !== 0 && Number.isInteger(port) && port >= 0 && port <= 65_535) return;
  throw new FairleadError(
    discoveryErrors["dns-address-unusable"],
    `${address}, port ${port}, is no place for DNS`,
  );
}

function refuseOwnUpstreams({ listen, upstreams = [] }: DnsServerOptions): void {
  for (const upstream of upstreams) {
    const own = listen.find(
      ({ address, port }) => address === upstream.address && port === upstream.port,
    );
    if (own === undefined) continue;
    throw new FairleadError(
      discoveryErrors["dns-upstream-loops"],
      `The upstream ${upstream.address} is this server`,
      { facts: { address: upstream.address, port: upstream.port } },
    );
  }
}

interface Listener {
  readonly udp: UdpListener;
  readonly tcp: TcpListener;
  readonly endpoint: Endpoint;
}

/** One port for both ways. A free one for UDP may be taken for TCP: then another one is tried. */
async function listenBoth(
  wanted: Endpoint,
  handler: MessageHandler,
  limits: TcpLimits,
  logger: Logger,
): Promise<Listener> {
  for (let tries = 1; ; tries++) {
    let udp: UdpListener | undefined;
    try {
      udp = await listenUdp(wanted, handler, logger);
      const endpoint = { address: wanted.address, port: udp.port };
      return { udp, endpoint, tcp: await listenTcp(endpoint, handler, limits) };
    } catch (error) {
      await udp?.close();
      if (udp !== undefined && wanted.port === 0 && tries < PORT_TRIES) continue;
      throw new FairleadError(
        discoveryErrors["dns-listen"],
        `DNS cannot listen on ${wanted.address}, port ${wanted.port}`,
        { cause: error, facts: { address: wanted.address, port: wanted.port } },
      );
    }
  }
}

function openForwarder(options: DnsServerOptions, clock: Clock): Forwarder | undefined {
  const { upstreams = [], upstreamAttemptMs = 1_500, upstreamDeadlineMs = 4_000 } = options;
  if (upstreams.length === 0) return undefined;
  const times = { attemptMs: upstreamAttemptMs, deadlineMs: upstreamDeadlineMs };
  const guard =
    options.refusePrivateAnswers === true
      ? { isForbidden: createClientCheck([...PRIVATE_NETWORKS, "0.0.0.0/8", "::/128"]) }
      : {};
  const forwarding = { upstreams, exchangesMax: EXCHANGES_MAX, ...times, ...guard };
  return createForwarder(forwarding, { clock });
}

/**
 * Listens on all addresses, or on none. Throws `dns-listen` when one cannot be had, `dns-address-unusable` for what is no
 * address and `dns-upstream-loops` when it would ask itself. Disposing closes the sockets; waiting questions get nothing.
 */
export async function serveDns(
  options: DnsServerOptions,
  { clock, logger }: DnsServerParts,
): Promise<DnsServer> {
  [...options.listen, ...(options.upstreams ?? [])].forEach(checkEndpoint);
  refuseOwnUpstreams(options);
  const forwarder = openForwarder(options, clock);
  const handler = createMessageHandler(
    {
      zone: options.zone,
      ttlSeconds: Math.min(options.ttlSeconds ?? 2, TTL_SECONDS_MAX),
      negativeTtlSeconds: Math.min(options.negativeTtlSeconds ?? 1, TTL_SECONDS_MAX),
      isClient: createClientCheck(options.clientNetworks ?? PRIVATE_NETWORKS),
      forwarder,
      askers: options.askers,
      queriesPerSecondMax: options.queriesPerSecondMax ?? 5_000,
    },
    { clock },
  );
  const listeners: Listener[] = [];
  async function close(): Promise<void> {
    forwarder?.close();
    const closing = listeners.splice(0).flatMap(({ udp, tcp }) => [udp.close(), tcp.close()]);
    await Promise.all(closing);
  }
  try {
    const limits = { ...TCP_LIMITS, ...options.tcp };
    for (const endpoint of options.listen)
      listeners.push(await listenBoth(endpoint, handler, limits, logger));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    endpoints: listeners.map(({ endpoint }) => endpoint),
    readCounters: () => ({ ...handler.counters, ...(forwarder?.counters ?? NO_FORWARDS) }),
    [Symbol.asyncDispose]: close,
  };
}
