// SPDX-License-Identifier: Apache-2.0
// The agent's side of its node: joined for as long as both live, and again, with growing pauses, when the link broke.
import { toError, type Conversation } from "@fairlead/fabric/conversation.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { decodeJson, encodeJson, parseJson } from "@fairlead/fabric/json.ts";
import { Link, type Identity } from "@fairlead/fabric/link.ts";
import { nodeOpen } from "@fairlead/fabric/node-open.ts";
import type { Registry } from "@fairlead/fabric/registry.ts";
import type { AgentChange } from "@fairlead/protocol/agent.ts";
import type { JoinAnswer, JoinRequest, Routes } from "@fairlead/protocol/fabric.ts";
import type { AgentEnd } from "./agent-options.ts";
import type { Environment } from "./environment.ts";
import { JOIN_ANSWER, RECORD, ROUTES } from "./node-answers.ts";

/** Pauses between attempts to reach the node: doubled from the first to the last, each by a random share. */
const PAUSE_MS_FIRST = 50;
const PAUSE_MS_LAST = 5_000;

/** What a node says to whom it knows no more; anything else may pass. */
const REVOKED: ReadonlySet<FabricError["code"]> = new Set(["unauthenticated", "permission_denied"]);

/** How it is with the node. `reason` says why, in words. */
export interface SessionStatus {
  readonly state: "joining" | "joined" | "reconnecting" | "draining" | "left";
  readonly reason: string;
}

export interface SessionOptions {
  readonly environment: Environment;
  readonly identity: Identity;
  /** What to say of this agent; asked at each joining. */
  readonly describe: () => JoinRequest;
  readonly directory: Registry;
  readonly accept: (conversation: Conversation, link: Link) => void;
  readonly onStatus: (status: SessionStatus) => void;
  /** The node lets this agent join no more, or did not come back in time: the owner has to leave. */
  readonly onEnd: (end: AgentEnd) => void;
  /** How long to look for a node that is gone. */
  readonly giveUpMs: number;
  /** Where this agent may send; undefined: anywhere. */
  readonly onRoutes: (routes: Routes | undefined) => void;
}

type WatchItem =
  | AgentChange
  | { readonly type: "ready" }
  | { readonly type: "routes"; readonly routes: unknown };

/** Keeps the agent joined. */
export class NodeSession {
  readonly #options: SessionOptions;
  #link: Link | undefined;
  #joining: Conversation | undefined;
  #answer: JoinAnswer | undefined;
  /** Whether the node has yet to be told of a change. */
  #changed = false;
  readonly #stopping = new AbortController();
  #waiting = Promise.withResolvers<Link>();

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#waiting.promise.catch(() => undefined);
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** What the node said at the last joining. */
  get answer(): JoinAnswer | undefined {
    return this.#answer;
  }

  /** The link to the node, while there is one. */
  get linked(): Link | undefined {
    return this.#link;
  }

  /** The link to the node; waits while there is none. Rejects when `signal` aborts or the agent left. */
  async link(signal?: AbortSignal): Promise<Link> {
    if (this.#link?.closed === false && !this.#link.draining) return this.#link;
    if (this.#stopped) throw new FabricError("unavailable", "this agent has left");
    if (signal === undefined) return this.#waiting.promise;
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const stop = (): void => aborted.reject(FabricError.from(signal.reason, "canceled"));
    signal.addEventListener("abort", stop, { once: true });
    try {
      return await Promise.race([this.#waiting.promise, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** Joins. Rejects when the first attempt fails; later losses are repaired. */
  async start(): Promise<void> {
    this.#options.onStatus({ state: "joining", reason: "starting" });
    await this.#connect();
  }

  /** Tells the node what has changed in what `describe` says. */
  update(): void {
    if (this.#changed) return;
    this.#changed = true;
    queueMicrotask(() => this.#tell());
  }

  /** Many changes at once are told once; what finds no room is told when there is some. */
  #tell(): void {
    const joining = this.#joining;
    if (!this.#changed || joining === undefined || joining.over) return;
    this.#changed = !joining.trySend(encodeJson(this.#options.describe()));
  }

  /** Leaves: the node forgets this agent at once. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopping.abort();
    const left = Promise.withResolvers<void>();
    const joining = this.#joining;
    if (joining !== undefined && !joining.over) {
      joining.handlers = { ...joining.handlers, onEnd: () => left.resolve() };
      joining.end();
      const timer = setTimeout(left.resolve, 1_000);
      await left.promise;
      clearTimeout(timer);
    }
    this.#link?.close();
    this.#waiting.reject(new FabricError("unavailable", "this agent has left"));
  }

  async #connect(): Promise<void> {
    const { environment, identity, accept } = this.#options;
    const transport = await environment.dialNode();
    const link = new Link({
      transport,
      dialled: true,
      self: identity,
      accept,
      onClosed: (_, error) => this.#onLost(link, error),
      onDrain: () => {
        if (this.#link === link) this.#await();
      },
    });
    await link.ready;
    await this.#join(link);
    await this.#watch(link);
    this.#link = link;
    this.#waiting.resolve(link);
    if (link.draining) this.#await();
    this.#options.onStatus({ state: "joined", reason: `joined ${this.#answer?.node.name ?? ""}` });
  }

  #join(link: Link): Promise<void> {
    const payload = encodeJson(this.#options.describe());
    this.#changed = false;
    const joining = link.open(nodeOpen("$node/join", true), { payload });
    this.#joining = joining;
    return new Promise((resolve, reject) => {
      joining.handlers = {
        onItem: (item) => {
          joining.consumed(item.length);
          this.#answer = parseJson(item, JOIN_ANSWER);
          resolve();
        },
        onEnd(status) {
          reject(
            status.code === 0
              ? new FabricError("unavailable", "the node ended the joining")
              : toError(status),
          );
          // A node that ends the joining does not want this agent as it is; asking again starts anew.
          if (!link.closed) link.close();
        },
        onCancel: () => undefined,
        onRoom: () => this.#tell(),
      };
    });
  }

  /** Mirrors the registry; resolves once all that was there is known. Agents that went while the link was down are removed. */
  #watch(link: Link): Promise<void> {
    const { directory, onRoutes } = this.#options;
    const stale = new Set(directory.list().map(({ id }) => id));
    const watch = link.open(nodeOpen("$node/watch", true), { payload: encodeJson({}) });
    return new Promise((resolve, reject) => {
      watch.handlers = {
        onItem(item) {
          watch.consumed(item.length);
          const change = decodeJson(item) as WatchItem;
          if (change.type === "routes") {
            const routes = ROUTES.safeParse(change.routes);
            if (change.routes === null) onRoutes(undefined);
            else if (routes.success) onRoutes(routes.data);
          } else if (change.type === "ready") {
            for (const id of stale) directory.remove(id, "expired");
            stale.clear();
            resolve();
          } else if (change.type === "gone") {
            directory.remove(change.agent.id, change.reason);
          } else {
            const parsed = RECORD.safeParse(change.agent);
            if (!parsed.success) return;
            stale.delete(parsed.data.id);
            directory.put(parsed.data);
          }
        },
        onEnd: (status) => reject(new FabricError("unavailable", status.message)),
        onCancel: () => undefined,
        onRoom: () => undefined,
      };
    });
  }

  /** Whoever wants a link waits for the next one. */
  #await(): void {
    this.#waiting = Promise.withResolvers<Link>();
    this.#waiting.promise.catch(() => undefined);
  }

  #onLost(link: Link, error: FabricError | undefined): void {
    if (this.#stopped || this.#link !== link) return;
    const wasLeaving = link.draining;
    this.#link = undefined;
    if (!wasLeaving) this.#await();
    this.#options.onStatus({
      state: "reconnecting",
      reason: error?.message ?? "the node has left",
    });
    void this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    const { environment, giveUpMs, onEnd, onStatus } = this.#options;
    const sinceMs = performance.now();
    let pauseMs = PAUSE_MS_FIRST;
    while (!this.#stopped) {
      const delayMs = pauseMs * (0.5 + environment.random());
      await environment.sleep(delayMs, this.#stopping.signal).catch(() => undefined);
      if (this.#stopped) return;
      try {
        await this.#connect();
        return;
      } catch (thrown) {
        const error = FabricError.from(thrown);
        if (REVOKED.has(error.code)) return onEnd({ reason: "revoked", error });
        if (performance.now() - sinceMs >= giveUpMs) return onEnd({ reason: "node-gone", error });
        onStatus({ state: "reconnecting", reason: error.message });
        pauseMs = Math.min(pauseMs * 2, PAUSE_MS_LAST);
      }
    }
  }
}
