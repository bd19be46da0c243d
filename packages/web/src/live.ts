// SPDX-License-Identifier: Apache-2.0
// Keeps the state true: lists first, then events; lists again after every gap.
import type { SessionView } from "@fairlead/protocol/routes.ts";
import type { NodeEvent } from "@fairlead/protocol/views.ts";
import * as client from "./client.ts";
import { applyEvent, describeEvents, mergeDecisions, STARTING, type PageState } from "./state.ts";

/** The node says every 5 s that it is alive; three missed times mean that it is away. */
const SILENCE_MS = 16_000;
const REFRESH_MS = 10_000;
const BATCH_MS = 100;
const RETRY_MS_MAX = 8_000;
const ANNOUNCE_MS = 5_000;

/** The page's state and what changes it. */
export interface Live {
  readonly getState: () => PageState;
  readonly subscribe: (listener: () => void) => () => void;
  /** What to tell a screen reader, at most once in 5 s. */
  readonly subscribeAnnouncements: (listener: (text: string) => void) => () => void;
  readonly start: () => void;
  /** With a token of the node's, or a user's. */
  readonly signIn: (token: string) => Promise<void>;
  readonly signOut: () => Promise<void>;
  /** Reads the lists again, soon. */
  readonly refresh: () => void;
}

/** The secret of a sign-in link; taken out of the address bar and the history before anything else. */
function takeOnce(): string | undefined {
  const url = new URL(location.href);
  const once = url.searchParams.get("once") ?? undefined;
  if (once !== undefined) {
    url.searchParams.delete("once");
    history.replaceState(undefined, "", url);
  }
  return once;
}

/** A state that tells its listeners when it changed. */
function createCell() {
  let state = STARTING;
  const listeners = new Set<() => void>();
  return {
    get: () => state,
    set(changes: Partial<PageState>): void {
      state = { ...state, ...changes };
      for (const listener of listeners) listener();
    },
    subscribe(listener: () => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Collects texts and hands them out at most once in ANNOUNCE_MS. */
function createAnnouncer() {
  const listeners = new Set<(text: string) => void>();
  let waiting: string[] = [];
  let timer: number | undefined;
  function say(): void {
    timer = undefined;
    if (waiting.length === 0) return;
    const text = waiting.slice(-3).join(". ");
    waiting = [];
    for (const listener of listeners) listener(text);
    timer = window.setTimeout(say, ANNOUNCE_MS);
  }
  return {
    add(text: string): void {
      if (text === "") return;
      waiting.push(text);
      timer ??= window.setTimeout(say, 0);
    },
    subscribe(listener: (text: string) => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

type Cell = ReturnType<typeof createCell>;

function readWho({ actor, role }: SessionView): PageState["session"] {
  return actor === undefined || role === undefined ? undefined : { actor, role };
}

/** Lists, read together. Events that come meanwhile are newer than the lists and are applied after them. */
async function readLists(cell: Cell): Promise<void> {
  const [session, status, services, decisions] = await Promise.all([
    client.readSession(),
    client.readStatus(),
    client.readServices(),
    client.readDecisions({ limit: 200 }),
  ]);
  cell.set({
    phase: "ready",
    session: readWho(session),
    status,
    services: services.items,
    missing: services.missing,
    decisions: mergeDecisions(cell.get().decisions ?? [], decisions.items),
    asOfMs: Date.now(),
  });
}

/** The event stream: opens, notices silence, opens again. */
function createFeed(cell: Cell, announce: (text: string) => void) {
  let source: EventSource | undefined;
  let lastId = "";
  let retryMs = 1_000;
  let heardMs = 0;
  let queue: NodeEvent[] = [];
  let loading = false;
  let flushTimer: number | undefined;
  let retryTimer: number | undefined;

  function flush(): void {
    flushTimer = undefined;
    if (loading || queue.length === 0) return;
    const events = queue;
    queue = [];
    cell.set({ ...events.reduce(applyEvent, cell.get()), asOfMs: Date.now() });
    announce(describeEvents(events));
    if (events.some((event) => event.kind === "lagged")) void load();
  }
  async function load(): Promise<void> {
    if (loading) return;
    loading = true;
    try {
      await readLists(cell);
    } catch (thrown) {
      await handleFailure(thrown);
    } finally {
      loading = false;
      flush();
    }
  }
  async function handleFailure(thrown: unknown): Promise<void> {
    close();
    const unauthenticated =
      thrown instanceof client.RequestError && thrown.problem?.code === "unauthenticated";
    if (unauthenticated) {
      cell.set({ phase: "signed-out", signInProblem: undefined });
      return;
    }
    cell.set({ phase: "ready", connection: "away" });
    retryTimer = window.setTimeout(() => void reopen(), retryMs);
    retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
  }
  /** A stream that was refused does not say why; the session does. */
  async function reopen(): Promise<void> {
    retryTimer = undefined;
    try {
      const session = await client.readSession();
      if (session.signedIn) open();
      else cell.set({ phase: "signed-out", signInProblem: undefined });
    } catch (thrown) {
      await handleFailure(thrown);
    }
  }
  function hear(): void {
    heardMs = Date.now();
    retryMs = 1_000;
    if (cell.get().connection !== "live") cell.set({ connection: "live" });
  }
  function open(): void {
    if (source !== undefined) return;
    heardMs = Date.now();
    const opened = new EventSource(`/v1/events${client.writeQuery({ after: lastId })}`);
    source = opened;
    opened.addEventListener("open", () => {
      hear();
      void load();
    });
    opened.addEventListener("beat", hear);
    opened.addEventListener("event", (message) => {
      hear();
      lastId = message.lastEventId;
      queue.push(JSON.parse(message.data as string) as NodeEvent);
      flushTimer ??= window.setTimeout(flush, BATCH_MS);
    });
    opened.addEventListener("error", () => void handleFailure(undefined));
  }
  function close(): void {
    source?.close();
    source = undefined;
    window.clearTimeout(retryTimer);
    retryTimer = undefined;
  }
  function check(): void {
    if (source === undefined) return;
    if (Date.now() - heardMs > SILENCE_MS) void handleFailure(undefined);
    else void load();
  }
  return { open, close, check, load };
}

/** The page's connection to its node. */
export function createLive(): Live {
  const cell = createCell();
  const announcer = createAnnouncer();
  const feed = createFeed(cell, announcer.add);

  async function enter(shown: { readonly token: string } | undefined): Promise<void> {
    const once = takeOnce();
    const secret = shown ?? (once === undefined ? undefined : { once });
    try {
      const session = await (secret === undefined ? client.readSession() : client.signIn(secret));
      cell.set({ session: readWho(session), signInProblem: undefined });
      if (session.signedIn) feed.open();
      else cell.set({ phase: "signed-out" });
    } catch (thrown) {
      const message = thrown instanceof Error ? thrown.message : String(thrown);
      cell.set({ phase: "signed-out", signInProblem: message });
    }
  }
  return {
    getState: cell.get,
    subscribe: cell.subscribe,
    subscribeAnnouncements: announcer.subscribe,
    start() {
      void enter(undefined);
      window.setInterval(feed.check, REFRESH_MS);
      // A browser allows six connections to a host: tabs that nobody looks at give theirs back.
      document.addEventListener("visibilitychange", () => {
        if (cell.get().phase !== "ready") return;
        if (document.hidden) feed.close();
        else feed.open();
      });
    },
    signIn: (token) => enter({ token }),
    async signOut() {
      feed.close();
      await client.signOut().catch(() => undefined);
      cell.set({ ...STARTING, phase: "signed-out" });
    },
    refresh: () => void feed.load(),
  };
}
