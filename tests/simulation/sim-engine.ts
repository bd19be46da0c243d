// SPDX-License-Identifier: Apache-2.0
// The Docker engine of a simulated host. Its containers outlive the node's process, as those of a real one do; what was
// asked of it happens also when who asked has died meanwhile.
import type { Random } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { CreateRequest, Engine, EngineSignal, WriteOptions } from "#engine/engine.ts";
import { engineErrors } from "#engine/errors.ts";
import { OWN_LABELS, type InstanceFact, type NetworkFact } from "#model/facts.ts";
import type { NetworkIntent } from "#model/intent.ts";
import type { Life } from "./life.ts";
import type { Timeline } from "./timeline.ts";

/** The one image that every engine has. */
const IMAGE = "app:1";
const KILLED = 137;
/** Containers end by themselves within this once they are asked to. */
const STOP_MS_MAX = 400;
/** The longest that one way of a call takes, and that the news of an event takes. */
const CALL_MS_MAX = 6;
const NEWS_MS_MAX = 40;

export interface SimEngineOptions {
  readonly timeline: Timeline;
  readonly random: Random;
  /** The wall clock of the host. */
  readonly nowMs: () => number;
  readonly host: string;
  /** Called when a container has started, with its service. */
  readonly onStart: (service: string) => void;
  /** Whether it stops what it is told to stop. */
  readonly stops: boolean;
}

/** What was written to the engine, with what it was written for. */
export interface EngineWrite {
  readonly act: string;
  readonly decision: string;
}

export interface SimEngine {
  /** Containers that run, `service/slot`, each as often as it runs. */
  listRunning(): readonly string[];
  readonly writes: readonly EngineWrite[];
  /** As a node's process sees it, until that ends. */
  open(life: Life): Engine;
  /** A container ends by a fault of its own; its name, if there is one. */
  failOne(): string | undefined;
  /** The engine, or its host, begins anew: everything that ran has ended. */
  restart(): void;
}

interface Watcher {
  readonly life: Life;
  readonly push: (signal: EngineSignal) => void;
  /** When the last news arrives, in the world's time. */
  newsMs: number;
}

function describeInstance(id: string, request: CreateRequest, nowMs: number): InstanceFact {
  const { labels, name, config } = request;
  return {
    id,
    name,
    scope: labels[OWN_LABELS.scope] ?? "",
    service: labels[OWN_LABELS.service] ?? "",
    slot: Number(labels[OWN_LABELS.slot] ?? 1),
    hash: labels[OWN_LABELS.hash],
    oneoff: false,
    image: config.Image,
    imageId: IMAGE,
    state: "created",
    health: "none",
    exitCode: 0,
    oomKilled: false,
    error: "",
    createdAtMs: nowMs,
    startedAtMs: 0,
    finishedAtMs: 0,
    engineRestart: "no",
    networkFrom: undefined,
    pidFrom: undefined,
    ipcFrom: undefined,
    anonymousVolumes: [],
    labels,
    addresses: {},
    ports: [],
  };
}

/** An engine without containers. */
export function createSimEngine(options: SimEngineOptions): SimEngine {
  const { timeline, random, nowMs, host, onStart, stops } = options;
  const instances = new Map<string, InstanceFact>();
  const networks = new Map<string, NetworkFact>();
  const watchers = new Set<Watcher>();
  const writes: EngineWrite[] = [];
  let count = 0;

  /** News come late, and in their order. */
  function emit(signal: EngineSignal): void {
    for (const watcher of watchers) {
      const { life, push } = watcher;
      if (life.dead) watchers.delete(watcher);
      const atMs = timeline.nowMs + random() * NEWS_MS_MAX;
      watcher.newsMs = Math.max(watcher.newsMs, atMs);
      life.after(watcher.newsMs - timeline.nowMs, () => push(signal));
    }
  }

  function tell(type: string, action: string, id: string, name: string): void {
    const timeNs = BigInt(Math.round(nowMs())) * 1_000_000n;
    emit({ kind: "event", event: { type, action, id, attributes: { name }, timeNs } });
  }

  const find = (idOrName: string): InstanceFact | undefined =>
    instances.get(idOrName) ?? [...instances.values()].find(({ name }) => name === idOrName);

  function change(id: string, parts: Partial<InstanceFact>, action: string): void {
    const before = instances.get(id);
    if (before === undefined) return;
    instances.set(id, { ...before, ...parts });
    tell("container", action, id, before.name);
  }

  function begin(id: string): void {
    const found = find(id);
    if (found === undefined) throw refuse("not-there", `no container ${id}`);
    if (found.state === "running") return;
    change(found.id, { state: "running", startedAtMs: nowMs(), exitCode: 0 }, "start");
    onStart(found.service);
  }

  function end(id: string, exitCode: number): void {
    const found = find(id);
    if (found?.state !== "running") return;
    change(found.id, { state: "exited", finishedAtMs: nowMs(), exitCode }, "die");
  }

  const refuse = (kind: keyof typeof engineErrors, message: string): FairleadError =>
    new FairleadError(engineErrors[kind], message);

  function create(request: CreateRequest): string {
    if (find(request.name) !== undefined) throw refuse("name-taken", `${request.name} is taken`);
    if (![...networks.values()].some(({ name }) => name === request.networkMode))
      throw refuse("engine-refused", `network ${request.networkMode} not found`);
    const id = `${host}c${++count}`.padEnd(64, "0");
    instances.set(id, describeInstance(id, request, nowMs()));
    tell("container", "create", id, request.name);
    return id;
  }

  function remove(id: string): void {
    const found = find(id);
    if (found === undefined || (!stops && found.state === "running")) return;
    end(found.id, KILLED);
    instances.delete(found.id);
    tell("container", "destroy", found.id, found.name);
  }

  function createNetwork(
    { name, driver }: NetworkIntent,
    labels: Readonly<Record<string, string>>,
  ): string {
    const id = `${host}n${++count}`.padEnd(64, "0");
    networks.set(id, { id, name, driver: driver ?? "bridge", labels });
    tell("network", "create", id, name);
    return id;
  }

  function open(life: Life): Engine {
    /** It happens whether or not its caller lives to hear of it. */
    function call<T>(act: () => T, afterMs = 0): Promise<T> {
      return new Promise((resolve, reject) => {
        const answer = (give: () => void): void => life.after(random() * CALL_MS_MAX, give);
        timeline.at(timeline.nowMs + random() * CALL_MS_MAX + afterMs, () => {
          try {
            const result = act();
            answer(() => resolve(result));
          } catch (thrown) {
            answer(() => reject(thrown as Error));
          }
        });
      });
    }
    function write<T>(act: string, { decision }: WriteOptions, run: () => T, afterMs = 0) {
      writes.push({ act, decision });
      return call(run, afterMs);
    }
    const stop = (id: string, options: WriteOptions & { graceMs: number }): Promise<void> =>
      write(
        "stop",
        options,
        () => (stops ? end(id, 0) : undefined),
        Math.min(options.graceMs, random() * STOP_MS_MAX),
      );
    const engine: Partial<Engine> = {
      endpoint: "sim",
      ping: () => call(() => undefined),
      info: () =>
        call(
          () => ({ id: host, hostName: host, os: "linux", arch: "x86_64", labels: {} }) as never,
        ),
      listInstances: () => call(() => [...instances.values()]),
      inspectInstance: (id) => call(() => find(id)),
      previewInstance: (id) => call(() => find(id)),
      inspectRaw: () => call(() => ({})),
      healthLog: () => call(() => []),
      listNetworks: () => call(() => [...networks.values()]),
      listVolumes: () => call(() => []),
      listImages: () => call(() => [{ id: IMAGE, tags: [IMAGE], sizeBytes: 1 }]),
      // A played container says nothing.
      async *logs() {},
      async *watch({ signal }) {
        const queue: EngineSignal[] = [{ kind: "connected", restarted: false }];
        let wake = (): void => undefined;
        const watcher = {
          life,
          newsMs: 0,
          push: (item: EngineSignal) => (queue.push(item), wake()),
        };
        const end = (): void => wake();
        watchers.add(watcher);
        signal.addEventListener("abort", end, { once: true });
        while (!signal.aborted) {
          for (let item = queue.shift(); item !== undefined; item = queue.shift()) yield item;
          await new Promise<void>((resolve) => (wake = resolve));
        }
        watchers.delete(watcher);
      },
      createInstance: (request, options) => write("create", options, () => create(request)),
      startInstance: (id, options) => write("start", options, () => begin(id), random() * 200),
      stopInstance: stop,
      killInstance: (id, options) => write("kill", options, () => end(id, KILLED)),
      restartInstance: (id, options) =>
        write("restart", options, () => {
          end(id, 0);
          begin(id);
        }),
      renameInstance: (id, name, options) =>
        write("rename", options, () => change(id, { name }, "rename")),
      removeInstance: (id, options) => write("remove", options, () => remove(id)),
      createNetwork: (intent, labels, options) =>
        write("network", options, () => createNetwork(intent, labels)),
      removeNetwork: (id, options) =>
        write("network", options, () => {
          networks.delete(id);
          tell("network", "destroy", id, "");
        }),
    };
    return engine as Engine;
  }

  const runs = (): readonly InstanceFact[] =>
    [...instances.values()].filter(({ state }) => state === "running");
  return {
    listRunning: () => runs().map(({ service, slot }) => `${service}/${slot}`),
    writes,
    open,
    failOne() {
      const running = runs();
      const one = running[Math.floor(random() * running.length)];
      if (one !== undefined) end(one.id, 1);
      return one?.name;
    },
    restart() {
      emit({ kind: "disconnected", error: "the engine does not answer" });
      for (const { id } of runs()) end(id, KILLED);
      emit({ kind: "connected", restarted: true });
    },
  };
}
