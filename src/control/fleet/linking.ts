// SPDX-License-Identifier: Apache-2.0
// Keeps a link to every node of the fleet that lives: of two nodes the one with the lower id connects, directly, or through
// others where the direct way is down or far worse. A node that is suspected keeps its link, and nothing new goes there.
import type { Duplex } from "node:stream";
import type { Link } from "@fairlead/fabric/link.ts";
import { pingNode, type NodeIdentity, type NodeLinks } from "@fairlead/fabric/node-links.ts";
import { createStreamTransport } from "@fairlead/fabric/stream-transport.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import { z } from "zod";
import { awaitAbort } from "#base/await-abort.ts";
import type { Clock, Random } from "#base/clock.ts";
import { baseErrors, FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { controlErrors } from "#control/errors.ts";
import type { Peers } from "#control/peers.ts";
import type { Roll } from "#control/roll.ts";
import type { Peering, PeerReply, PeerRequest } from "#peering/peering.ts";
import { joinStreams } from "./join-streams.ts";
import { BETWEEN_MAX, createWayBook, type WayBook } from "./way-book.ts";

export interface LinkingOptions {
  readonly self: NodeIdentity;
  readonly peers: Peers;
  readonly roll: Pick<Roll, "list" | "onLook" | "probe">;
  readonly nodes: NodeLinks;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** One node to which this one connects. */
interface Bond {
  link: Link | undefined;
  /** Nodes in between; none for the direct way. */
  way: readonly string[];
  isBusy: boolean;
  /** Whether the direct way was found to be down: then others are tried before it. */
  isDirectDown: boolean;
  pauseMs: number;
  /** On the monotonic clock: when to try again, to ping, and to think about the way. */
  tryAtMs: number;
  pingAtMs: number;
  thinkAtMs: number;
}

const PATH = "/link";
const PAUSE_MS_FIRST = 100;
const PAUSE_MS_LAST = 5_000;
/** The direct way is given this long where there is another, and this long where there is none. */
const DIRECT_MS = 1_000;
const DIAL_MS = 5_000;
/** A node that lives answers over its link at least this quickly, or the way is down. */
const PING_EVERY_MS = 1_000;
const PING_MS_MAX = 4_000;
/** One that is slower is asked by datagrams too, so many times: where none arrives the direct way is down, and nobody busy. */
const PING_MS_SLOW = 1_000;
const PROBES = 2;
const PROBE_BYTES = 200;
const THINK_EVERY_MS = 10_000;
/** What is sent to see how wide a way is. */
const WIDE_BYTES = 262_144;

const Question = z.object({
  from: z.string().min(1).max(63),
  name: z.string().min(1).max(63),
  /** This node, and those after it. */
  to: z.array(z.string().min(1).max(63)).min(1),
});

/** Makes the loop; nothing happens before it runs. */
export function createLinking(options: LinkingOptions): {
  run(signal: AbortSignal): Promise<void>;
} {
  const { self, peers, roll, nodes, clock, random, logger } = options;
  const bonds = new Map<string, Bond>();
  const ways: WayBook = createWayBook({ self: self.id, nodes });
  const stopping = new AbortController();
  let suspects = "";

  function find(id: string): NodeView | undefined {
    return roll.list().find((node) => node.id === id && !node.self);
  }

  async function connect(
    id: string,
    query: Record<string, string>,
    maxMs: number,
  ): Promise<Duplex> {
    const { address, port: at } = find(id) ?? {};
    if (peers.peering === undefined || address === undefined || at === undefined)
      throw new FairleadError(controlErrors["node-unlinked"], `${id} cannot be connected to yet`);
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(maxMs)]);
    return peers.peering.connect({ id, address, port: at }, PATH, { query, signal });
  }

  /** Takes a connection for this node, or passes it on to the next. */
  async function answer({ query }: PeerRequest): Promise<PeerReply> {
    const said = Question.safeParse({
      from: query.get("from"),
      name: query.get("name"),
      to: (query.get("to") ?? "").split(","),
    });
    if (!said.success || said.data.to[0] !== self.id || said.data.to.length > BETWEEN_MAX + 1)
      throw new FairleadError(baseErrors["invalid-argument"], "that is no way to this node");
    const { from, name, to } = said.data;
    const [, next, ...rest] = to;
    if (next === undefined)
      return { kind: "connection", take: (stream) => take(stream, { id: from, name }) };
    const onward = await connect(next, { from, name, to: [next, ...rest].join(",") }, DIAL_MS);
    return { kind: "connection", take: (stream) => joinStreams(stream, onward) };
  }

  function take(stream: Duplex, from: NodeIdentity): void {
    const transport = createStreamTransport(stream, from.name);
    nodes.take(transport, from, { dialled: false }).catch((thrown: unknown) =>
      logger.warn("a node that connected is not linked", {
        name: from.name,
        reason: FairleadError.from(thrown).message,
      }),
    );
  }

  async function open(node: NodeView, way: readonly string[], maxMs: number): Promise<Link> {
    const query = { from: self.id, name: self.name, to: [...way, node.id].join(",") };
    const stream = await connect(way[0] ?? node.id, query, maxMs);
    const transport = createStreamTransport(stream, node.name);
    return nodes.take(transport, { id: node.id, name: node.name }, { dialled: true });
  }

  /** The direct way first; where it is down, through others. */
  async function dial(node: NodeView, bond: Bond): Promise<readonly [Link, readonly string[]]> {
    const around = ways.choose(node, { isDirectDown: true, isAround: false });
    if (around !== undefined && bond.isDirectDown) {
      bond.isDirectDown = false;
      return [await open(node, around, DIAL_MS), around];
    }
    try {
      const link = await open(node, [], around === undefined ? DIAL_MS : DIRECT_MS);
      return [link, []];
    } catch (thrown) {
      ways.noteDirect(node.id, undefined);
      if (around === undefined) throw thrown;
      return [await open(node, around, DIAL_MS), around];
    }
  }

  async function measure(node: NodeView, bond: Bond, link: Link): Promise<void> {
    const alone = await pingNode(link);
    const wide = await pingNode(link, WIDE_BYTES);
    if (bond.way.length > 0) return;
    const bandwidthMbitS = (WIDE_BYTES * 8) / 1_000 / Math.max(wide - alone, 0.1);
    ways.noteDirect(node.id, { latencyMs: (node.rttMs ?? alone) / 2, bandwidthMbitS });
  }

  async function bind(node: NodeView, bond: Bond): Promise<void> {
    try {
      const [link, way] = await dial(node, bond);
      use(node, bond, link, way);
      await measure(node, bond, link);
    } catch (thrown) {
      if (bond.pauseMs === PAUSE_MS_LAST) return;
      logger.info("a node is not linked", {
        name: node.name,
        reason: FairleadError.from(thrown).message,
      });
    } finally {
      bond.pauseMs =
        bond.link === undefined ? Math.min(bond.pauseMs * 2, PAUSE_MS_LAST) : PAUSE_MS_FIRST;
      bond.tryAtMs = clock.monotonicMs() + bond.pauseMs * (0.5 + random());
    }
  }

  function use(node: NodeView, bond: Bond, link: Link, way: readonly string[]): void {
    bond.link = link;
    bond.way = way;
    const nowMs = clock.monotonicMs();
    bond.pingAtMs = nowMs + PING_EVERY_MS;
    bond.thinkAtMs = nowMs + THINK_EVERY_MS * (0.5 + random());
    const via = way.map((id) => find(id)?.name ?? id).join(", ");
    logger.info("a node is linked", { name: node.name, via: via === "" ? "directly" : via });
  }

  /** Whether no datagram comes back from a node. */
  async function isSilent(id: string): Promise<boolean> {
    for (let tries = 0; tries < PROBES; tries++)
      if (await roll.probe(id, PROBE_BYTES)) return false;
    return true;
  }

  /** Whether an answer comes while it is waited for. */
  async function isAnswered(link: Link, node: NodeView, { way }: Bond): Promise<boolean> {
    const asked = pingNode(link).then(
      () => true,
      () => false,
    );
    const within = async (ms: number): Promise<boolean> => {
      const enough = new AbortController();
      const late = clock.sleep(ms, enough.signal).then(
        () => false,
        () => false,
      );
      return Promise.race([asked, late]).finally(() => enough.abort());
    };
    if (await within(PING_MS_SLOW)) return true;
    const isDown = way.length === 0 && (await isSilent(node.id));
    return within(isDown ? 0 : PING_MS_MAX - PING_MS_SLOW);
  }

  /** Asks whether the way still leads there; one that does not is given up, and another looked for at once. */
  async function ping(node: NodeView, bond: Bond, link: Link): Promise<void> {
    if (!(await isAnswered(link, node, bond))) {
      // One that everybody has lost may be paused: it keeps its link until it is gone.
      if (find(node.id)?.state !== "alive") return;
      bond.isDirectDown = bond.way.length === 0 && !link.closed;
      ways.noteDirect(node.id, undefined);
      link.close();
    }
    bond.pingAtMs = clock.monotonicMs() + PING_EVERY_MS;
  }

  /** Takes a better way, and gives the former up once the new one is there. */
  async function think(node: NodeView, bond: Bond): Promise<void> {
    bond.thinkAtMs = clock.monotonicMs() + THINK_EVERY_MS * (0.5 + random());
    const isAround = bond.way.length > 0;
    const way = ways.choose(node, { isDirectDown: false, isAround });
    if (way === undefined || way.join() === bond.way.join()) return;
    try {
      const link = await open(node, way, DIRECT_MS);
      use(node, bond, link, way);
      await measure(node, bond, link);
    } catch {
      if (way.length === 0) ways.noteDirect(node.id, undefined);
    }
  }

  function attend(node: NodeView, bond: Bond): Promise<void> | undefined {
    const nowMs = clock.monotonicMs();
    const { link } = bond;
    if (link === undefined || link.closed) {
      bond.link = undefined;
      return nowMs < bond.tryAtMs ? undefined : bind(node, bond);
    }
    if (nowMs >= bond.pingAtMs) return ping(node, bond, link);
    return nowMs >= bond.thinkAtMs ? think(node, bond) : undefined;
  }

  function look(peering: Peering | undefined): void {
    const others = roll.list().filter((node) => !node.self);
    const lost = others.filter(({ state }) => state === "suspect" || state === "gone");
    const ids = lost.map(({ id }) => id);
    if (ids.join() !== suspects) nodes.setSuspects(new Set(ids));
    suspects = ids.join();
    for (const [id, bond] of bonds) if (find(id) === undefined) forget(id, bond);
    for (const { id, state } of others) if (state === "gone") nodes.get(id)?.close();
    if (peering === undefined) return;
    for (const node of others) {
      if (node.state !== "alive" || self.id > node.id) continue;
      const bond = bonds.get(node.id) ?? createBond();
      bonds.set(node.id, bond);
      if (bond.isBusy) continue;
      const work = attend(node, bond);
      if (work === undefined) continue;
      bond.isBusy = true;
      void work.finally(() => (bond.isBusy = false));
    }
  }

  function forget(id: string, bond: Bond): void {
    bonds.delete(id);
    ways.noteDirect(id, undefined);
    bond.link?.close();
  }

  return {
    async run(signal) {
      peers.answer(PATH, answer);
      const stop = roll.onLook(() => look(peers.peering));
      await awaitAbort(signal);
      stop();
      stopping.abort();
      ways[Symbol.dispose]();
    },
  };
}

function createBond(): Bond {
  return {
    link: undefined,
    way: [],
    isBusy: false,
    isDirectDown: false,
    pauseMs: PAUSE_MS_FIRST,
    tryAtMs: 0,
    pingAtMs: 0,
    thinkAtMs: 0,
  };
}
