// SPDX-License-Identifier: Apache-2.0
// The composition root: with the files it opens, the only place where drivers are made and handed to the rooms that use them.
import { chmod } from "node:fs/promises";
import { createApi, type Api, type ApiOptions } from "#api/create-api.ts";
import { API_LIMITS } from "#api/settings.ts";
import { findPlaces, locateNodeFiles, makeNodeDirectories } from "#config/node-files.ts";
import { createAgentActs } from "#control/agent-acts.ts";
import { createGating } from "#control/gating.ts";
import { openOperations } from "#control/open-operations.ts";
import type { Operations } from "#control/operations.ts";
import type { EngineInfo } from "#engine/engine.ts";
import { createTlsReader } from "./api-tls.ts";
import { keepHouse } from "./keep-house.ts";
import { withNeighbours } from "./list-agents.ts";
import { listenForPage } from "./listen-for-page.ts";
import type { NodeParts } from "./node-parts.ts";
import { openHands } from "./open-hands.ts";
import { openTalk } from "./open-talk.ts";
import { runLoops } from "./run-loops.ts";
import { spreadOut } from "./spread-out.ts";
import { superviseScopes } from "./supervise-scopes.ts";
import { readToken } from "./token-file.ts";

/** A node that runs. Disposing ends it; containers stay. */
export interface RunningNode extends AsyncDisposable {
  readonly operations: Operations;
  readonly page: string | undefined;
  /** Rejects when a loop ends that should not. */
  readonly failed: Promise<never>;
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
