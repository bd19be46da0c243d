// SPDX-License-Identifier: Apache-2.0
// An API on a real unix socket and a real port, over fake operations, for tests.
import { mkdtemp, rm } from "node:fs/promises";
import { request as sendRequest, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Role } from "@fairlead/protocol/access.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import { createApi, type Api } from "#api/create-api.ts";
import { API_LIMITS, type ApiLimits } from "#api/settings.ts";
import { silentAudit, type AuditLog } from "#audit/audit.ts";
import type { Clock } from "#base/clock.ts";
import type { Logger, LogFields } from "#base/logger.ts";
import { createFakeAccess } from "./fake-access.ts";
import { createFakeFleet } from "./fake-fleet.ts";
import { createFakeOperations, type FakeOperations } from "./fake-operations.ts";
import { createFakePolicies } from "./fake-policies.ts";
import { createFakeRights } from "./fake-rights.ts";
import { createFakeTopologies } from "./fake-topologies.ts";

export const TOKEN = "canary-token-3f9a1c77d2e84b06a5";

/** What came back. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** What is sent. */
export interface Send {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** A running API with all that a test wants to look at. */
export interface TestApi extends AsyncDisposable {
  /** The fleet\'s nodes; none at first. */
  readonly nodes: NodeView[];
  readonly api: Api;
  readonly fake: FakeOperations;
  readonly port: number;
  readonly socketPath: string;
  /** Who there is besides the node itself; the token of `ana` is `token-of-ana`. */
  readonly users: Map<string, Role>;
  /** Everything logged, as text. */
  readonly logged: string[];
  /** Adds to the time that the API sees. */
  advance(byMs: number): void;
  /** Sends over the unix socket. */
  unix(path: string, send?: Send): Promise<Reply>;
  /** Sends over TCP, with the right Host and the token unless headers say otherwise. */
  tcp(path: string, send?: Send): Promise<Reply>;
}

function createTestClock(): Clock & { advance(byMs: number): void } {
  let aheadMs = 0;
  return {
    nowMs: () => Date.now() + aheadMs,
    monotonicMs: () => performance.now() + aheadMs,
    sleep: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        const timer = setTimeout(resolve, delayMs);
        signal?.addEventListener("abort", () => {
          clearTimeout(timer);
          reject(signal.reason as Error);
        });
      }),
    advance(byMs) {
      aheadMs += byMs;
    },
  };
}

function createRecorder(logged: string[]): Logger {
  const record = (message: string, fields?: LogFields): void => {
    logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
  };
  const logger: Logger = {
    debug: record,
    info: record,
    warn: record,
    error: record,
    child: () => logger,
  };
  return logger;
}

/** One request over node:http, which sends the headers exactly as given. */
export function send(
  to: { socketPath: string } | { host: string; port: number },
  path: string,
  { method = "GET", headers = {}, body }: Send = {},
): Promise<Reply> {
  // Without it, node:http sends the body of a DELETE as if it were the next request.
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const outgoing = sendRequest(
      { ...to, path, method, headers: { ...length, ...headers }, agent: false },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.on("error", reject);
        incoming.on("end", () =>
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            text: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** Starts an API; disposing it removes its socket and directory. */
export async function startApi(
  limits: Partial<ApiLimits> = {},
  pageDirectory?: string,
  audit: AuditLog = silentAudit,
): Promise<TestApi> {
  const directory = await mkdtemp(join(tmpdir(), "fairlead-api-"));
  const socketPath = join(directory, "node.sock");
  const clock = createTestClock();
  const fake = createFakeOperations(() => clock.nowMs());
  const logged: string[] = [];
  const users = new Map<string, Role>();
  const nodes: NodeView[] = [];
  const note = (name: string, ...args: readonly unknown[]) =>
    void fake.calls.push({ name, args, actor: "", signal: AbortSignal.abort() });
  const api = createApi({
    operations: fake.operations,
    fabric: { list: () => [] },
    topologies: createFakeTopologies(note),
    access: createFakeAccess(users, note),
    rights: createFakeRights(note),
    policies: createFakePolicies(note),
    fleet: createFakeFleet(note),
    host: {
      async clear(by) {
        note("clearHost", by);
        return { removed: ["flv100000"] };
      },
    },
    placement: {
      explain: async (service, scope = "shop") => ({
        scope,
        service,
        wanted: 0,
        missing: 0,
        summary: "",
        asks: [],
        nodes: [],
        notes: [],
      }),
    },
    networks: { advise: () => [] },
    roll: { list: () => nodes, problem: undefined },
    paths: { list: () => [] },
    overlays: { list: () => [], problem: undefined, rotate: () => Promise.resolve(0) },
    audit,
    settings: {
      version: "0.1.0",
      token: TOKEN,
      limits: { ...API_LIMITS, ...limits },
      ...(pageDirectory === undefined ? {} : { pageDirectory }),
    },
    logger: createRecorder(logged),
    clock,
  });
  await api.listenUnix(socketPath);
  const { port } = await api.listenTcp("127.0.0.1", 0);
  return {
    api,
    fake,
    port,
    socketPath,
    users,
    nodes,
    logged,
    advance: (byMs) => clock.advance(byMs),
    unix: (path, options) => send({ socketPath }, path, options),
    tcp: (path, { headers, ...options } = {}) =>
      send({ host: "127.0.0.1", port }, path, {
        ...options,
        headers: { authorization: `Bearer ${TOKEN}`, ...headers },
      }),
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
