// SPDX-License-Identifier: Apache-2.0
// Opens the fabric of a node: a socket for programs of this host, one for containers, and TCP where it is wanted.
import { createHmac } from "node:crypto";
import { chmod, mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { AgentRights } from "@fairlead/fabric/agent-rights.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { createHealthMethods } from "@fairlead/fabric/grpc/health.ts";
import { listen, type Listener, type ListenOptions } from "@fairlead/fabric/grpc/listen.ts";
import {
  createRevokingSource,
  openTlsFiles,
  type RevokingSource,
  type TlsFiles,
} from "@fairlead/fabric/grpc/tls-files.ts";
import { createWorkloadMethods } from "@fairlead/fabric/grpc/workload-api.ts";
import { createHub, type Hub } from "@fairlead/fabric/hub.ts";
import { createFleetLog } from "@fairlead/fabric/kept/fleet-log.ts";
import { createKeptDoor } from "@fairlead/fabric/kept/kept-door.ts";
import type { Link } from "@fairlead/fabric/link.ts";
import { createLogMethods } from "@fairlead/fabric/log-service.ts";
import type { MessageLog } from "@fairlead/fabric/log/message-log.ts";
import { openLog } from "@fairlead/fabric/log/open.ts";
import { NODE_METHOD } from "@fairlead/fabric/node-door.ts";
import { createNodeLinks, type NodeLinks } from "@fairlead/fabric/node-links.ts";
import { createRegistry, type Registry } from "@fairlead/fabric/registry.ts";
import type { RouteBoard } from "@fairlead/fabric/route-board.ts";
import { createSickList } from "@fairlead/fabric/sick-list.ts";
import { createTrafficLedger } from "@fairlead/fabric/traffic-ledger.ts";
import type { Transport } from "@fairlead/fabric/transport.ts";
import type { Clock, Random } from "#base/clock.ts";
import { FairleadError, type ErrorKind } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { createActMethods } from "./act-methods.ts";
import { fabricErrors } from "./errors.ts";
import type { Fabric } from "./fabric.ts";
import {
  createTicketDoor,
  type Origin,
  type TicketDoor,
  type TicketRefusal,
} from "./ticket-door.ts";

export interface FabricOptions {
  readonly node: { readonly id: string; readonly name: string };
  /** Socket for programs of this host. The containers' lies in a directory of its own beside it. */
  readonly socket: string;
  /** `host:port`, or `off`. Who dials in over TCP needs a ticket, as containers do. */
  readonly listen: string;
  /** Mutual TLS there when given. */
  readonly tls?: TlsFiles;
  /** How callers choose among instances of a service that says nothing itself. */
  readonly route: string;
  /** Secret of the node, from which tickets and the keys of scopes are derived. */
  readonly secret: string;
  /** File of the messages that are kept. */
  readonly logPath: string;
  /** How long a group is kept that nobody reads; a week by default. */
  readonly keepGroupsMs?: number;
  /** This node among those of its fleet: its id there, and the fleet's key as it was last known. */
  readonly fleet?: { readonly id: string; readonly key?: string };
}

/** What it is made of besides. */
export interface FabricParts {
  /** What agents may do with each other; everything by default. */
  readonly rights?: AgentRights;
  /** Where the members of topologies may send, from before the first of them joins. */
  readonly routes: RouteBoard;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Called for each that may not join. */
  readonly onRefused?: (refusal: TicketRefusal) => void;
}

/** So long may take what is open when the node ends. */
const LEAVE_MS = 1_000;
const HOST_MODE = 0o600;
/** Containers run under many users; their ticket says who they are. */
const CONTAINER_MODE = 0o666;

function derive(secret: string, ...parts: readonly string[]): string {
  return createHmac("sha256", secret).update(JSON.stringify(parts)).digest("base64url");
}

/** Where containers come from that have no socket of their own. */
const COMMON: Origin = { address: "the containers' socket", isCommon: true };

/** An address without its port, which is another one for each connection. */
function originOf({ peerAddress }: Transport): Origin {
  return { address: peerAddress.slice(0, peerAddress.lastIndexOf(":")) };
}

function originOfPlace(scope: string, service: string): Origin {
  return { address: `${scope}/${service}`, owner: { scope, name: service } };
}

/** Gives who dials to the hub, which asks the door whether it may join from where it comes. */
function guardBy(hub: Hub, door: TicketDoor) {
  return (readOrigin: (one: Transport) => Origin) => (one: Transport) =>
    hub.accept(one, (peer) => door.admit(readOrigin(one), peer));
}

/** Says through gRPC's health protocol that the node serves, until it leaves. */
function createNodeHealth() {
  const listeners = new Set<() => void>();
  let isLeaving = false;
  return {
    methods: createHealthMethods(
      (service) => (service !== "" ? "service-unknown" : isLeaving ? "not-serving" : "serving"),
      (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    ),
    leave(): void {
      isLeaving = true;
      for (const listener of listeners) listener();
    },
  };
}

async function listenAt(
  at: ListenOptions["at"],
  { onTransport, methods, tls }: Pick<ListenOptions, "onTransport" | "methods" | "tls">,
): Promise<Listener> {
  try {
    return await listen({
      at,
      onTransport,
      ...(methods === undefined ? {} : { methods }),
      ...(tls === undefined ? {} : { tls }),
    });
  } catch (cause) {
    const where = "path" in at ? at.path : `${at.host}:${at.port}`;
    const because = cause instanceof Error ? cause.message : String(cause);
    throw new FairleadError(
      fabricErrors["fabric-socket-taken"],
      `the fabric cannot listen at ${where}`,
      {
        cause,
        facts: { because },
      },
    );
  }
}

function openTls(files: TlsFiles): RevokingSource {
  try {
    return createRevokingSource(openTlsFiles(files));
  } catch (cause) {
    throw new FairleadError(fabricErrors["fabric-certificate"], FairleadError.from(cause).message, {
      cause,
      facts: { caFile: files.caFile, certFile: files.certFile, keyFile: files.keyFile },
    });
  }
}

/** A socket that nobody listens on any more is taken over; the API's lock has made sure that there is one node. */
async function listenUnix(
  path: string,
  mode: number,
  options: Pick<ListenOptions, "onTransport" | "methods">,
): Promise<Listener> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await rm(path, { force: true });
  const listener = await listenAt({ path }, options);
  await chmod(path, mode);
  return listener;
}

function parseListen(text: string): { readonly host: string; readonly port: number } {
  const at = text.lastIndexOf(":");
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(text.slice(at + 1)) };
}

/** Kinds of what the log says when it is opened, by its reasons. */
const LOG_KINDS: ReadonlyMap<string, ErrorKind> = new Map(
  [fabricErrors["log-full"], fabricErrors["log-corrupt"], fabricErrors["log-locked"]].map(
    (kind) => [kind.slug, kind],
  ),
);

async function openMessageLog(
  { logPath: path, keepGroupsMs }: FabricOptions,
  { clock, logger }: FabricParts,
): Promise<MessageLog> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    return openLog(
      { kind: "sqlite", path, ...(keepGroupsMs === undefined ? {} : { keepGroupsMs }) },
      {
        clock,
        onGroupOver: ({ name, pattern, waiting }) =>
          logger.warn("a group of subscribers went, since nobody read it", {
            group: name,
            pattern,
            messages: waiting,
          }),
      },
    );
  } catch (cause) {
    const { reason, message, facts } = FabricError.from(cause);
    const kind = LOG_KINDS.get(reason);
    if (kind === undefined) throw cause;
    throw new FairleadError(kind, message, { cause, facts: { ...facts, file: path } });
  }
}

/** An error of this room as one for the wire. */
function convertError(thrown: unknown): FabricError {
  if (thrown instanceof FabricError) return thrown;
  const { code, message, kind, retryable } = FairleadError.from(thrown);
  return new FabricError(code, message, { reason: kind.slug, retryable, cause: thrown });
}

/** What this node does for the others of its fleet; undefined without one. */
function linkNodes(
  { fleet, node }: FabricOptions,
  parts: {
    readonly registry: Registry;
    readonly everyone: Registry;
    readonly links: ReadonlyMap<string, Link>;
    readonly log: MessageLog;
  },
): NodeLinks | undefined {
  if (fleet === undefined) return undefined;
  const giveKept = createKeptDoor({ log: parts.log, convert: convertError });
  return createNodeLinks({
    self: { id: fleet.id, name: node.name },
    own: parts.registry,
    directory: parts.everyone,
    joined: parts.links,
    methods: new Map([[NODE_METHOD.kept, giveKept]]),
  });
}

/** Opens the fabric. Throws FL0980 when it cannot listen, FL0970, FL0971 or FL0973 when the log cannot be opened. */
export async function openFabric(options: FabricOptions, parts: FabricParts): Promise<Fabric> {
  const { clock, random, logger, routes } = parts;
  const { secret } = options;
  await using stack = new AsyncDisposableStack();
  const log = stack.use(await openMessageLog(options, parts));
  const registry = createRegistry();
  const links = new Map<string, Link>();
  const everyone = createRegistry();
  registry.watch((change) => {
    if (change.type === "gone") everyone.remove(change.agent.id, change.reason);
    else everyone.put(change.agent);
  });
  const nodes = linkNodes(options, { registry, everyone, links, log });
  const methods = new Map(
    createLogMethods({
      log: nodes === undefined ? log : stack.use(createFleetLog({ own: log, nodes, clock })),
      nowMs: () => clock.nowMs(),
      convert: convertError,
      ...(parts.rights === undefined ? {} : { rights: parts.rights }),
    }),
  );
  const traffic = createTrafficLedger();
  const sickList = createSickList(registry);
  let scopeSecret = options.fleet?.key ?? secret;
  const createDoor = (): Hub =>
    createHub({
      registry,
      directory: everyone,
      linkTo: (node) => nodes?.named(node),
      routes,
      ...(parts.rights === undefined ? {} : { rights: parts.rights }),
      traffic,
      judge: (record) => sickList.judge(record),
      node: options.node,
      route: options.route,
      nowMs: () => clock.nowMs(),
      keyOf: (scope) => derive(scopeSecret, "scope", scope),
      pick: (candidates) => {
        const taking = candidates.filter(({ healthy, draining }) => healthy && !draining);
        return taking[Math.floor(random() * taking.length)];
      },
      links,
      methods,
    });
  const host = createDoor();
  const guarded = createDoor();
  const ticketOf = (scope: string, name: string): string => derive(secret, "join", scope, name);
  const guard = guardBy(guarded, createTicketDoor({ ticketOf, clock, onRefused: parts.onRefused }));
  const containers = join(dirname(options.socket), "containers", "fabric.sock");
  const addresses: string[] = [];
  const add = (listener: Listener): void => {
    stack.defer(async () => listener[Symbol.asyncDispose]());
    addresses.push(listener.address);
  };
  const health = createNodeHealth();
  const { methods: answers } = health;
  const open = { methods: answers, onTransport: (one: Transport) => host.accept(one) };
  const common = { methods: answers, onTransport: guard(() => COMMON) };
  const remote = { methods: answers, onTransport: guard(originOf) };
  add(await listenUnix(options.socket, HOST_MODE, open));
  const inside = await listenUnix(containers, CONTAINER_MODE, common);
  stack.defer(async () => inside[Symbol.asyncDispose]());
  const files = options.listen === "off" ? undefined : options.tls;
  const tls = files === undefined ? undefined : stack.use(openTls(files));
  if (options.listen !== "off") {
    const at = parseListen(options.listen);
    add(await listenAt(at, { ...remote, ...(tls === undefined ? {} : { tls }) }));
  }
  const stop = registry.watch((change) => {
    const { name, scope, id } = change.agent;
    if (change.type === "up") logger.info("an agent joined", { name, scope, id });
    else if (change.type === "gone")
      logger.info("an agent left", { name, scope, id, reason: change.reason });
  });
  stack.defer(stop);
  stack.defer(async () => {
    health.leave();
    await Promise.all([host.drain(LEAVE_MS), guarded.drain(LEAVE_MS)]);
    nodes?.close();
  });
  const owned = stack.move();
  return {
    registry,
    everyone,
    nodes,
    setFleetKey(key) {
      const next = key.toString("base64url");
      if (next === scopeSecret) return;
      scopeSecret = next;
      for (const link of links.values()) link.close();
    },
    rejoin(scope) {
      for (const link of links.values())
        if (scope === undefined || link.peer.scope === scope) link.close();
    },
    routes,
    traffic,
    get links() {
      return host.links + guarded.links;
    },
    addresses,
    list: (filter) => registry.list(filter),
    queues: () => log.stats(),
    partFromNodes: async () => nodes?.drain(LEAVE_MS),
    setSick: (sick, leaving) => sickList.set(sick, leaving),
    setRevoked: (serials) => tls?.setRevoked(serials),
    grantTicket: ticketOf,
    openPlace: ({ path, scope, service, identity }) =>
      listenUnix(path, CONTAINER_MODE, {
        methods: new Map([...answers, ...createWorkloadMethods(identity)]),
        onTransport: guard(() => originOfPlace(scope, service)),
      }),
    answerActs(acts) {
      for (const [name, method] of createActMethods(acts, convertError)) methods.set(name, method);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
