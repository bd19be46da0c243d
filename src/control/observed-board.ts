// SPDX-License-Identifier: Apache-2.0
// Who talks to whom, by scope: what the node passes on and what agents report, forgotten when it was not seen for a while.
import type { LinkUse } from "@fairlead/protocol/fabric.ts";
import { FACE_TAG } from "@fairlead/protocol/names.ts";
import type { ObservedLink, ObservedLinks } from "@fairlead/protocol/topology.ts";
import type { Clock } from "#base/clock.ts";
import type { Fabric } from "#fabric/fabric.ts";
import { addTogether, createToldLinks, joinObserved } from "./told-links.ts";

/** A link that was not seen for so long is forgotten. */
const SEEN_MS = 10 * 60_000;
/** How often the node looks at what it passed on, and forgets. */
const SWEEP_MS = 2_000;
/** Links of one scope; beyond it those not seen for longest are forgotten. */
const LINKS_MAX = 20_000;
/** Links that one agent may tell of, so that it pushes out nobody else's. */
const TOLD_MAX = 1_000;

interface Sighting extends ObservedLink {
  /** Id of the agent that told it; undefined: the node saw it. */
  readonly by: string | undefined;
}

interface Scene {
  /** By link and by who told it; the one not seen for longest comes first. */
  readonly sightings: Map<string, Sighting>;
  /** Ids of agents that tell, with how many links they have told. */
  readonly tellers: Map<string, number>;
  omitted: number;
}

export interface ObservedBoard {
  /** What is known of a scope now. */
  view(scope: string): ObservedLinks;
  run(signal: AbortSignal): Promise<void>;
}

export interface ObservedBoardOptions {
  /** With links to other nodes, what their agents do is known too. */
  readonly fabric: Pick<Fabric, "registry" | "traffic" | "list"> & Partial<Pick<Fabric, "nodes">>;
  readonly clock: Clock;
}

/** Makes the board. It hears reports from now on; `run` looks at what the node passes on. */
export function createObservedBoard({ fabric, clock }: ObservedBoardOptions): ObservedBoard {
  const startedAtMs = clock.nowMs();
  const scenes = new Map<string, Scene>();
  const told = fabric.nodes === undefined ? undefined : createToldLinks(fabric.nodes);

  function open(scope: string): Scene {
    const scene = scenes.get(scope) ?? {
      sightings: new Map<string, Sighting>(),
      tellers: new Map<string, number>(),
      omitted: 0,
    };
    scenes.set(scope, scene);
    return scene;
  }

  function forget(scene: Scene, key: string, { by }: Sighting): void {
    scene.sightings.delete(key);
    const told = by === undefined ? undefined : scene.tellers.get(by);
    if (by !== undefined && told !== undefined) scene.tellers.set(by, told - 1);
  }

  function note(scene: Scene, { from, to, used, refused }: LinkUse, by?: string): void {
    const key = `${by ?? ""} ${from} ${to}`;
    const known = scene.sightings.get(key);
    if (known === undefined && by !== undefined) {
      const told = scene.tellers.get(by) ?? 0;
      if (told >= TOLD_MAX) {
        scene.omitted += used + refused;
        return;
      }
      scene.tellers.set(by, told + 1);
    }
    scene.sightings.delete(key);
    scene.sightings.set(key, {
      from,
      to,
      by,
      used: used + (known?.used ?? 0),
      refused: refused + (known?.refused ?? 0),
      lastSeenMs: clock.nowMs(),
    });
    const [oldest] = scene.sightings;
    if (scene.sightings.size > LINKS_MAX && oldest !== undefined) forget(scene, ...oldest);
  }

  function sweep(): void {
    for (const [scope, { links, omitted }] of fabric.traffic.take()) {
      const scene = open(scope);
      for (const link of links) note(scene, link);
      scene.omitted += omitted;
    }
    const oldestMs = clock.nowMs() - SEEN_MS;
    for (const [scope, scene] of scenes) {
      for (const [key, sighting] of scene.sightings) {
        if (sighting.lastSeenMs >= oldestMs) break;
        forget(scene, key, sighting);
      }
      if (scene.sightings.size + scene.tellers.size === 0) scenes.delete(scope);
    }
  }

  const stops = [
    fabric.traffic.watch(({ scope, id, links, omitted }) => {
      const agent = fabric.registry.get(id);
      if (agent === undefined || agent.tags[FACE_TAG] !== undefined) return;
      const scene = open(scope);
      if (!scene.tellers.has(id)) scene.tellers.set(id, 0);
      for (const link of links) note(scene, link, id);
      scene.omitted += omitted;
    }),
    fabric.registry.watch(({ type, agent }) => {
      if (type === "gone") scenes.get(agent.scope)?.tellers.delete(agent.id);
    }),
  ];

  function readOwn(scope: string): ObservedLinks {
    const nowMs = clock.nowMs();
    const scene = scenes.get(scope);
    const agents = fabric.list({ scope }).filter(({ tags }) => tags[FACE_TAG] === undefined);
    const silent = agents.filter(({ id }) => scene?.tellers.has(id) !== true);
    const name = (each: readonly { readonly name: string }[]): readonly string[] =>
      [...new Set(each.map((one) => one.name))].sort();
    return {
      scope,
      sinceMs: Math.max(startedAtMs, nowMs - SEEN_MS),
      asOfMs: nowMs,
      links: addTogether(scene?.sightings.values() ?? []),
      agents: name(agents),
      silent: name(silent),
      omitted: scene?.omitted ?? 0,
    };
  }

  /** Of scopes without agents here there is nothing to tell, but for what is not forgotten yet. */
  function tellOthers(): void {
    const present = fabric.list().map(({ scope }) => scope);
    const all = [...new Set([...scenes.keys(), ...present])].sort();
    told?.tell(all.map(readOwn));
  }

  return {
    view(scope) {
      sweep();
      return joinObserved(readOwn(scope), told?.of(scope) ?? []);
    },
    async run(signal) {
      while (!signal.aborted) {
        sweep();
        tellOthers();
        await clock.sleep(SWEEP_MS, signal).catch(() => undefined);
      }
      for (const stop of stops) stop();
      told?.[Symbol.dispose]();
    },
  };
}
