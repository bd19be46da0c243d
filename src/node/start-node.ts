// SPDX-License-Identifier: Apache-2.0
// The composition root: the only place where drivers are made and handed to the rooms that use them.
import { chmod } from "node:fs/promises";
import { uptime } from "node:os";
import { createRouteBoard } from "@fairlead/fabric/route-board.ts";
import { createApi, type Api, type ApiOptions } from "#api/create-api.ts";
import { API_LIMITS } from "#api/settings.ts";
import type { Clock, Random } from "#base/clock.ts";
import { createId } from "#base/ids.ts";
import type { Logger } from "#base/logger.ts";
import { findPlaces, locateNodeFiles, makeNodeDirectories } from "#config/node-files.ts";
import { readNodeLabels, type Settings } from "#config/settings.ts";
import { openAccess } from "#control/access/open-access.ts";
import { createActor } from "#control/actor.ts";
import { createAgentActs } from "#control/agent-acts.ts";
import { createAlertBoard } from "#control/alert-board.ts";
import { computeRoutes } from "#control/compute-routes.ts";
import { createDecisionLog } from "#control/decision-log.ts";
import { createEventFeed } from "#control/event-feed.ts";
import { createEvidence } from "#control/evidence.ts";
import { createFactsBoard } from "#control/facts-board.ts";
import { createNaming } from "#control/naming.ts";
import { createGating } from "#control/gating.ts";
import { createIntake } from "#control/intake.ts";
import { loadStamps, loadTopologies } from "#control/kept-topologies.ts";
import { loadMemoryBoard } from "#control/memory-board.ts";
import { openFleetOperations } from "#control/open-fleet-operations.ts";
import { openOperations } from "#control/open-operations.ts";
import type { Operations } from "#control/operations.ts";
import { createScopeViews } from "#control/scope-views.ts";
import { createSupervisor } from "#control/supervisor.ts";
import { createRoll } from "#control/roll.ts";
import type { Engine, EngineInfo } from "#engine/engine.ts";
import { openEngine } from "#engine/open.ts";
import type { Facts } from "#model/facts.ts";
import type { Store } from "#store/store.ts";
import { createWidths } from "./act-widths.ts";
import { createTlsReader } from "./api-tls.ts";
import { keepHouse, SEEN_KEY } from "./keep-house.ts";
import { openCommonStore } from "./open-common-store.ts";
import { openNodeStore } from "./open-node-store.ts";
import { runLoops } from "./run-loops.ts";
import { openAddresses } from "./start-addresses.ts";
import { startDiscovery } from "./start-discovery.ts";
import { startDns } from "./start-dns.ts";
import { describeFleet, describeSelf } from "./start-fleet.ts";
import { openLinks } from "./start-links.ts";
import { startOverlays } from "./start-overlays.ts";
import { logDecision, startAudit } from "./start-audit.ts";
import { createWithdrawing, openFarewells } from "./start-farewells.ts";
import { startFabric } from "./start-fabric.ts";
import { startRights } from "./start-rights.ts";
import { startWiring } from "./start-wiring.ts";
import { startPolicies } from "./start-policies.ts";
import { withNeighbours } from "./list-agents.ts";
import { startAgentSockets } from "./start-agent-sockets.ts";
import { publishChanges } from "./publish-changes.ts";
import { listenForPage } from "./listen-for-page.ts";
import { openPlaces } from "./start-places.ts";
import { openImages } from "./start-images.ts";
import { openPeers, spreadOut } from "./spread-out.ts";
import { openDesks } from "./open-desks.ts";
import { openPlacing, withLeader } from "./start-placing.ts";
import { readToken } from "./token-file.ts";

/** What a node is made of. */
export interface NodeParts {
  readonly settings: Settings;
  readonly version: string;
  /** Directory of the built page; undefined when there is none. */
  readonly pageDirectory: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** A node that runs. Disposing ends it; containers stay. */
export interface RunningNode extends AsyncDisposable {
  readonly operations: Operations;
  readonly page: string | undefined;
  /** Rejects when a loop ends that should not. */
  readonly failed: Promise<never>;
}

const GAP_KEY = "node/engine-gap";

interface Past {
  readonly gap: Facts["engineGap"];
  readonly lastSeenMs: number;
}

async function readPast(store: Store): Promise<Past> {
  const gap = (await store.get(GAP_KEY))?.value as Facts["engineGap"];
  const seen = (await store.get(SEEN_KEY))?.value;
  return { gap, lastSeenMs: typeof seen === "number" ? seen : 0 };
}

function createLoops(parts: NodeParts, store: Store, engine: Engine, past: Past) {
  const { clock, random, logger, settings } = parts;
  const decisions = createDecisionLog({ store, clock, random, logger });
  const alerts = createAlertBoard(clock, random);
  const feed = createEventFeed(createId("ep", clock.nowMs(), random));
  const board = createFactsBoard({
    engine,
    clock,
    logger,
    engineGap: past.gap,
    lastSeenMs: past.lastSeenMs,
    hostStartedAtMs: clock.nowMs() - uptime() * 1_000,
    onGap: (value) => void decisions.write([{ kind: "put", key: GAP_KEY, value }]),
    resyncIntervalMs: settings.resyncIntervalMs,
    nodeLabels: readNodeLabels(settings),
  });
  return { decisions, alerts, feed, board };
}

/** Opens store and engine, and marks what a node before this one left open. */
async function openHands(parts: NodeParts, stack: AsyncDisposableStack) {
  const { settings, clock, random, logger } = parts;
  const { store, lost } = await openNodeStore(settings, { clock, logger });
  stack.use(store);
  const engine = stack.use(
    openEngine({ endpoint: settings.engine.endpoint, env: parts.env }, { clock, random }),
  );
  const loops = createLoops(parts, store, engine, await readPast(store));
  const interrupted = await loops.decisions.recover();
  if (interrupted > 0)
    logger.info("decisions of a node that was ended are marked", { count: interrupted });
  if (lost.length > 0) {
    loops.alerts.set(
      "StoreDamaged",
      `the store was damaged and moved to ${lost[0] ?? ""}; run up again for each scope`,
    );
  }
  publishChanges(loops, clock);
  const audit = await startAudit({ ...parts, store, fleet: describeFleet(parts) }, stack);
  loops.decisions.onDecision((decision) => logDecision(audit, decision));
  return { store, engine, loops, audit, memory: await loadMemoryBoard(store) };
}

/** All by which agents join, find others and are found, and by which nodes know of each other. */
async function openTalk(
  parts: NodeParts,
  {
    store,
    engine,
    audit,
    loops: { board, decisions, alerts },
  }: Awaited<ReturnType<typeof openHands>>,
  stack: AsyncDisposableStack,
) {
  const { settings, clock, random, logger } = parts;
  const self = await describeSelf(parts);
  const belongs = describeFleet(parts);
  const roll = createRoll({ self, fleet: belongs, store, decisions, clock, logger });
  const kept = await loadTopologies(store, logger);
  const stamps = await loadStamps(store);
  const routes = createRouteBoard();
  for (const [scope, { graph }] of kept) routes.set(scope, computeRoutes(graph));
  const common = openCommonStore(store, belongs, stack);
  const rights = await startRights({ ...common, decisions, audit, alerts, clock, logger });
  const access = await openAccess({ ...common, decisions, clock, logger });
  const fabric = stack.use(await startFabric(parts, routes, rights));
  rights.onGoverned((scope) => fabric.rejoin(scope));
  const hands = { store, fabric, decisions, clock, random, logger };
  const { wiring, observed } = startWiring({ ...hands, kept, stamps, self, roll });
  const discovery = stack.use(await startDiscovery({ settings, ...hands }));
  const dns = await startDns(settings, { clock, logger });
  if (dns !== undefined) stack.use(dns);
  const ours = { fleet: belongs, roll, decisions, clock, random };
  const fleet = openFleetOperations({ ...ours, own: () => identities.own });
  const nets = startOverlays({ settings, self, fleet: belongs, roll, board, ...hands }, stack);
  const placing =
    belongs === undefined
      ? undefined
      : openPlacing({ fleet: belongs, self, roll, decisions, board, clock, random, logger });
  const farewells = openFarewells({ self, fleet: belongs, roll, board, ...hands });
  const placed = { settings, self, store, placing, board, decisions, farewells, clock, logger };
  const addresses = await openAddresses(placed);
  const peers = openPeers({ fleet: belongs, settings, self, audit, clock, logger });
  const around = { settings, self, store, common, engine, board, fabric, peers, clock, logger };
  const identities = await openPlaces(around, stack);
  const links = openLinks({ settings, peers, self, roll, board, farewells, ...nets, ...hands });
  const images = openImages({ settings, peers, roll, engine, board, clock });
  const faces = {
    topologies: wiring,
    rights,
    access,
    roll: withLeader(roll, placing, peers?.identity),
    fleet,
    ...nets,
  };
  const { overlays, paths, clearing } = nets;
  const named = { board, fabric, farewells, elsewhere: links?.names, standing: addresses, logger };
  const naming = dns && createNaming({ zone: dns.zone, ...named });
  const own = [rights, access, wiring, observed, roll, overlays, paths, clearing, addresses];
  const more = [farewells, ...(links?.loops ?? []), ...identities.loops, images, peers, naming];
  const watchers = [...own, ...more].filter((loop) => loop !== undefined);
  const found = { fabric, discovery, dns, placing, addresses, farewells };
  return { ...found, peers, images, identities, faces, watchers, belongs };
}

async function openApi(
  parts: NodeParts,
  behind: Omit<ApiOptions, "settings" | "logger" | "clock">,
): Promise<Api> {
  const { version, pageDirectory, logger, clock } = parts;
  const token = await readToken(locateNodeFiles(findPlaces(parts.settings)).token);
  return createApi({
    ...behind,
    settings: {
      version,
      token,
      ...(pageDirectory === undefined ? {} : { pageDirectory }),
      limits: API_LIMITS,
    },
    logger,
    clock,
  });
}

async function prepareDirectories(settings: NodeParts["settings"]): Promise<void> {
  makeNodeDirectories(locateNodeFiles(findPlaces(settings)));
  await chmod(settings.stateDir, 0o700);
}

/** The loops of all scopes, how they stand, and what keeps them in step with a fleet. */
function superviseScopes(
  parts: NodeParts,
  hands: Awaited<ReturnType<typeof openHands>>,
  {
    identities,
    dns,
    placing,
    addresses,
    farewells,
    images,
    faces,
    belongs,
  }: Awaited<ReturnType<typeof openTalk>>,
  { startedAtMs, stack }: { readonly startedAtMs: number; readonly stack: AsyncDisposableStack },
) {
  const { settings, clock, logger } = parts;
  const { store, engine, loops, audit, memory } = hands;
  const { decisions, alerts, feed, board } = loops;
  const sockets = startAgentSockets(
    { settings, engine, loops: () => supervisor.loops, decisions, audit, clock, logger },
    stack,
  );
  const supervisor = createSupervisor({
    store,
    board,
    memory,
    decisions,
    alerts,
    actor: createActor({
      engine,
      board,
      clock,
      images,
      withdraw: createWithdrawing(farewells, (scope) => supervisor.loop(scope)),
      guardNetworks: () => policies.guardNetworks(),
      prepareNetwork: (network) => faces.overlays.prepare(network),
      grantDocker: async (scope, service) => sockets?.grant(scope, service),
      ...(dns === undefined ? {} : { dnsServers: dns.forContainers }),
      places: identities.places,
    }),
    evidence: createEvidence(engine, board),
    clock,
    logger,
    ...createWidths(settings, clock),
    fetchesImages: images !== undefined,
    elsewhere: (scope) => placing?.desk.elsewhere(scope),
    turns: (scope) => placing?.desk.turns(scope),
    fence: () => placing?.fence(),
    onPass(loop) {
      views.publishSoon(loop.desired.intent.scope);
      placing?.notePass(loop.desired.intent.scope);
      addresses.wake();
      sockets?.settleSoon();
    },
    startedAtMs,
  });
  const around = { ...hands, ...faces, faces, dns, belongs, supervisor, clock, logger };
  const onTrouble = (scope: string): void => views.publishSoon(scope);
  const policies = startPolicies({ ...around, onTrouble }, stack);
  const told = { fleet: placing?.desk, addresses, farewells, policies };
  const views = createScopeViews(supervisor, board, feed, clock, told);
  const intake = createIntake({ store, board, supervisor, memory, clock });
  const { readLocal: viewLocal, publishSoon } = views;
  addresses.follow({ supervisor, publishSoon });
  const local = { supervisor, intake, viewLocal, publishSoon };
  const together = placing?.attend(local) ?? [];
  const desks = openDesks({ ...around, addresses, placing, board, decisions });
  return { supervisor, views, intake, together, desks, policies };
}

/** What a node says of itself. */
function identify({ settings, version }: NodeParts) {
  const { nodeName } = settings;
  return { version, node: nodeName, pid: process.pid, places: findPlaces(settings) };
}

/** Starts a node; it runs until disposed. Throws what its rooms throw: the store's, the API's. */
export async function startNode(parts: NodeParts): Promise<RunningNode> {
  const { settings, clock, random, logger } = parts;
  const startedAtMs = clock.nowMs();
  await prepareDirectories(settings);
  const stack = new AsyncDisposableStack();
  try {
    const hands = await openHands(parts, stack);
    const { store, engine, loops, audit, memory } = hands;
    const { decisions, alerts, feed, board } = loops;
    const talk = await openTalk(parts, hands, stack);
    const { fabric, discovery, placing, watchers } = talk;
    const scopes = superviseScopes(parts, hands, talk, { startedAtMs, stack });
    const { supervisor, views, intake, together, desks, policies } = scopes;
    const watched = { settings, fleet: placing?.desk, policies };
    const house = keepHouse({ ...hands, ...loops, clock, logger, ...watched });
    let page: string | undefined = undefined;
    const local = openOperations({
      engine,
      store,
      board,
      supervisor,
      memory,
      decisions,
      alerts,
      feed,
      views,
      intake,
      policies,
      fleet: placing?.desk,
      fabric,
      ...talk.identities,
      clock,
      random,
      identity: { ...identify(parts), startedAtMs },
      engineInfo: (): EngineInfo | undefined => house.engineInfo(),
      storeSizeBytes: () => house.storeSizeBytes(),
      discovery: () => discovery.readWays(),
      page: () => page,
    });
    const { roll } = talk.faces;
    const fleet = { peers: talk.peers, desk: placing?.desk, roll, supervisor };
    const operations = spreadOut(local, { ...fleet, self: settings.nodeName, clock });
    fabric.answerActs(createAgentActs({ board, supervisor, memory, decisions, clock }));
    const lists = withNeighbours(fabric, discovery);
    const behind = { operations, ...desks, policies, audit, fabric: lists, ...talk.faces };
    const api = stack.use(await openApi(parts, behind));
    const gating = createGating({ board, fabric, farewells: talk.farewells });
    const failed = runLoops(stack, [
      board,
      supervisor,
      house,
      gating,
      policies,
      ...watchers,
      ...together,
    ]);
    stack.defer(() => fabric.partFromNodes());
    await api.listenUnix(settings.socket);
    const shown = { api, readTls: createTlsReader(parts), clock, logger };
    page = await listenForPage(settings.listen, shown, stack);
    const owned = stack.move();
    return { operations, page, failed, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}
