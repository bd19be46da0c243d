// SPDX-License-Identifier: Apache-2.0
// How a node learns of agents of other nodes, and tells them of its own: the registry on the store always, multicast and
// seeds where there is a key.
import { matchesFilter, type AgentFilter } from "@fairlead/fabric/registry.ts";
import type { AgentChange, AgentRecord } from "@fairlead/protocol/agent.ts";
import { FACE_TAG } from "@fairlead/protocol/names.ts";
import type { AgentView, DiscoveryWay } from "@fairlead/protocol/views.ts";
import type { Clock, Random } from "#base/clock.ts";
import { formatDuration } from "#base/duration.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { Settings } from "#config/settings.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import { announceAgents } from "#discovery/announce-agents.ts";
import type { Discovery } from "#discovery/discovery.ts";
import { createNeighbours, type Neighbour, type Source } from "#discovery/neighbours.ts";
import { openRegistry } from "#discovery/registry/open-registry.ts";
import type { Fabric } from "#fabric/fabric.ts";
import type { PlannedAction } from "#model/action.ts";
import type { Store } from "#store/store.ts";
import { openDatagramWays } from "./start-discovery-datagrams.ts";
import type { OpenedWay } from "./start-discovery-way.ts";

export interface DiscoveryHands {
  readonly settings: Settings;
  readonly store: Store;
  readonly fabric: Pick<Fabric, "registry">;
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface RunningDiscovery extends AsyncDisposable {
  /** Agents that joined other nodes. */
  list(filter?: AgentFilter): readonly AgentView[];
  /** Each way and how it does. */
  readWays(): readonly DiscoveryWay[];
}

const LOAD_INTERVAL_MS = 5_000;
const SETTLE_MS = 250;
const SWEEP_MS = 30_000;
const REWATCH_MS = 1_000;
const RETRY_MS = 5_000;

async function openRegistryWay(hands: DiscoveryHands): Promise<OpenedWay> {
  const { store, settings, clock, random, logger } = hands;
  const options = { store, name: settings.nodeName, settleMs: SETTLE_MS };
  const discovery = await openRegistry(options, { clock, random, logger });
  return {
    kind: "registry",
    discovery,
    read: () => ({
      kind: "registry",
      state: "on",
      where: `the ${store.kind} store`,
      peers: [],
      counters: { agents: discovery.list().length },
    }),
  };
}

function describeLoss(agent: AgentRecord, source: Source, nowMs: number): PlannedAction {
  const { id, name, scope, ttlMs, node = "itself" } = agent;
  return {
    key: `agent/${id}`,
    act: "agent.offline",
    object: `agent/${scope}/${name}`,
    title: `marked ${name} of ${node} as offline`,
    trigger: {
      kind: "members",
      detail: `${name} was not heard of by ${source} for too long and did not say that it leaves`,
      atMs: nowMs,
    },
    rule: { text: `two heartbeats, or a lease of ${formatDuration(ttlMs)}` },
    inputs: { id, node, source, addresses: agent.addresses.join(" ") || "none" },
    notDone: [
      { what: "restart it", why: "it does not run on this node, which can only see it is silent" },
    ],
  };
}

function toView({ record, source, offlineSinceMs }: Neighbour): AgentView {
  return {
    ...record,
    source: source === "multicast" && record.tags["proof"] === "none" ? "plain" : source,
    ...(offlineSinceMs === undefined ? {} : { offlineSinceMs }),
  };
}

/** Opens every way. Disposing says farewell on each. */
export async function startDiscovery(hands: DiscoveryHands): Promise<RunningDiscovery> {
  const { fabric, decisions, clock, logger } = hands;
  await using stack = new AsyncDisposableStack();
  const neighbours = createNeighbours();
  const announcer = stack.use(
    announceAgents(
      {
        source: fabric.registry,
        isPublic: ({ tags }) => tags[FACE_TAG] === undefined,
        loadIntervalMs: LOAD_INTERVAL_MS,
      },
      { clock, logger },
    ),
  );
  const closing = new AbortController();

  async function recordLoss(agent: AgentRecord, source: Source): Promise<void> {
    try {
      const action = describeLoss(agent, source, clock.nowMs());
      const decision = await decisions.begin(action, { scope: agent.scope, actor: "automatic" });
      await decisions.finish(decision, { outcome: "observed", result: "shown as offline" });
    } catch (thrown) {
      logger.error("that an agent is offline could not be recorded", {
        reason: FairleadError.from(thrown).message,
      });
    }
  }

  function take(source: Source, change: AgentChange): void {
    if (announcer.has(change.agent.id)) return;
    const turn = neighbours.take(source, change, clock.nowMs());
    if (turn === undefined) return;
    const { name, scope, node } = change.agent;
    logger.info("an agent of another node", { turn, name, scope, node, source });
    if (turn === "offline") void recordLoss(change.agent, source);
  }

  async function follow(source: Source, discovery: Discovery): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        const changes = discovery.watch(closing.signal);
        neighbours.keepOnly(source, new Set(discovery.list().map(({ id }) => id)));
        for await (const change of changes) take(source, change);
        return;
      } catch (thrown) {
        logger.warn("agents of other nodes are listed anew", { reason: String(thrown) });
        await clock.sleep(REWATCH_MS, closing.signal).catch(() => undefined);
      }
    }
  }

  async function sweep(): Promise<void> {
    while (!closing.signal.aborted) {
      await clock.sleep(SWEEP_MS, closing.signal).catch(() => undefined);
      neighbours.sweep(clock.nowMs());
    }
  }

  const opened: OpenedWay[] = [];
  const running: Promise<void>[] = [sweep()];
  const ways = new AsyncDisposableStack();

  function use({ kind, discovery }: OpenedWay): void {
    if (discovery === undefined) return;
    ways.use(discovery);
    announcer.add(discovery);
    running.push(follow(kind, discovery));
  }

  /** What cannot be opened when the host starts, as its network is not there yet, is opened later. */
  async function openLater(at: number, way: OpenedWay): Promise<void> {
    let late = way;
    while (late.retry !== undefined && !closing.signal.aborted) {
      await clock.sleep(RETRY_MS, closing.signal).catch(() => undefined);
      if (closing.signal.aborted) return;
      late = await late.retry();
      opened[at] = late;
      use(late);
    }
  }

  function keep(way: OpenedWay): void {
    const at = opened.push(way) - 1;
    use(way);
    if (way.retry !== undefined) running.push(openLater(at, way));
  }

  stack.defer(async () => {
    closing.abort();
    await Promise.all(running);
    await ways.disposeAsync();
  });
  for (const way of await openDatagramWays(hands.settings, hands)) keep(way);
  keep(await openRegistryWay(hands));
  const owned = stack.move();
  return {
    list: (filter = {}) =>
      neighbours
        .list()
        .filter(({ record }) => matchesFilter(record, filter))
        .map(toView),
    readWays: () => opened.map((way) => way.read()),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
