// SPDX-License-Identifier: Apache-2.0
// NOT Consul: a small server that answers the part of Consul's documented HTTP API that the driver uses, so that the driver
// is exercised over real HTTP where no agent of Consul can be had. What it shows is that the driver does as the
// documentation says, not that Consul does. With CONSUL_BIN set, drivers/consul/driver.real.test.ts asks a real agent.
import { once } from "node:events";
import {
  createServer as createHttp,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "#base/clock.ts";
import type { TxnOperation } from "#store/drivers/consul/messages.ts";
import { createLeaseKeeper } from "#store/lease-keeper.ts";
import { createKvState, type KvState } from "./kv-state.ts";

export interface StandInOptions {
  /** Runs the time of sessions. */
  readonly clock: Clock;
  /** Consul's is 10 s. */
  readonly sessionTtlMinSeconds?: number;
  /** Consul's is 512 KiB, of a whole transaction as well as of one value. */
  readonly requestBytesMax?: number;
  /** Who does not bring it may nothing. */
  readonly token?: string;
  /** PEM texts; with `clientCa` who comes has to prove who it is. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer; readonly clientCa?: Buffer };
}

/** An address at which it answers. */
export interface Door {
  readonly endpoint: string;
  /** Ends connections and answers no more. */
  shut(): Promise<void>;
  /** Takes requests and says nothing, until it is called with false. */
  hang(isHung: boolean): void;
}

export interface ConsulStandIn extends AsyncDisposable {
  readonly state: KvState;
  /** Opens one more address of the same Consul. */
  open(): Promise<Door>;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

interface Said {
  readonly status: number;
  readonly body?: unknown;
  readonly index?: number;
}

const REQUEST_BYTES_MAX = 524_288;
const OPERATIONS_MAX = 64;
const TTL_TIMES = 2;
const TTL_SECONDS_MAX = 86_400;
const LOCK_DELAY_MS_MAX = 60_000;
const DEFAULT_WAIT_MS = 300_000;
/** A longer one is cut to this, and up to a sixteenth is added, so that not all who wait ask again at once. */
const WAIT_MS_MAX = 600_000;
const WAIT_SHARE = 1 / 16;

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Of a value as it is sent, in base64. */
function countBytes(value: string | null | undefined): number {
  return Buffer.byteLength(value ?? "", "base64");
}

/** `10s`, `1m30s` in milliseconds. */
function readDuration(text: string): number {
  const [, minutes = "0", seconds = "0"] = /^(?:(\d+)m)?(?:(\d+)s)?$/.exec(text) ?? [];
  return (Number(minutes) * 60 + Number(seconds)) * 1_000;
}

/** Nothing is stored yet, and nothing listens. */
export function createConsulStandIn(options: StandInOptions): ConsulStandIn {
  const { clock, token, tls, sessionTtlMinSeconds = 10 } = options;
  const { requestBytesMax = REQUEST_BYTES_MAX } = options;
  const state = createKvState({ nowMs: clock.monotonicMs });
  const ttls = new Map<string, number>();
  const keeper = createLeaseKeeper(clock, async (ids) => ids.forEach(state.endSession));
  const doors = new Set<Door>();

  const isAllowed = ({ headers }: IncomingMessage): boolean =>
    token === undefined || headers["x-consul-token"] === token;

  function transact(body: Buffer, request: IncomingMessage): Said {
    if (body.length > requestBytesMax)
      return { status: 413, body: `Request body too large, max size: ${requestBytesMax} bytes` };
    const operations = JSON.parse(body.toString("utf8")) as readonly TxnOperation[];
    const count = operations.length;
    if (count > OPERATIONS_MAX) {
      const said = `Transaction contains too many operations (${count} > ${OPERATIONS_MAX})`;
      return { status: 413, body: said };
    }
    const large = operations.find(({ KV: { Value } }) => countBytes(Value) > requestBytesMax);
    if (large !== undefined) {
      const size = countBytes(large.KV.Value);
      const said = `Value for key "${large.KV.Key}" is too large (${size} > ${requestBytesMax} bytes)`;
      return { status: 413, body: said };
    }
    const What = "Permission denied: token with AccessorID 'anonymous' lacks permission";
    if (!isAllowed(request))
      return { status: 409, body: { Results: null, Errors: [{ OpIndex: 0, What }] } };
    const done = state.transact(operations);
    if ("errors" in done) return { status: 409, body: { Results: null, Errors: done.errors } };
    return { status: 200, body: { Results: done.results.map((KV) => ({ KV })), Errors: null } };
  }

  async function list(
    key: string,
    query: URLSearchParams,
    { request, response }: Exchange,
  ): Promise<Said> {
    const after = Number(query.get("index") ?? 0);
    const askedMs = readDuration(query.get("wait") ?? "") || DEFAULT_WAIT_MS;
    const waitMs = Math.min(askedMs, WAIT_MS_MAX) * (1 + WAIT_SHARE);
    const changed = Promise.withResolvers<void>();
    const ended = new AbortController();
    const forget = state.onChange(() => {
      if (state.list(key).index > after) changed.resolve();
    });
    response.once("close", () => ended.abort());
    if (response.closed) ended.abort();
    if (after > 0 && state.list(key).index <= after)
      await Promise.race([
        changed.promise,
        sleep(waitMs, undefined, { signal: ended.signal }).catch(() => undefined),
      ]);
    forget();
    ended.abort();
    const { index, pairs } = state.list(key);
    // Who may not read is not told so: the answer is empty.
    if (pairs.length === 0 || !isAllowed(request)) return { status: 404, index };
    return { status: 200, index, body: query.has("keys") ? pairs.map(({ Key }) => Key) : pairs };
  }

  function createSession(body: Buffer): Said {
    const asked = JSON.parse(body.toString("utf8")) as Readonly<Record<string, unknown>>;
    const [TTL, Behavior, LockDelay] = ["TTL", "Behavior", "LockDelay"].map((name) =>
      String(asked[name] ?? ""),
    );
    const ttlMs = readDuration(TTL ?? "");
    if (ttlMs < sessionTtlMinSeconds * 1_000 || ttlMs > TTL_SECONDS_MAX * 1_000) {
      const range = `must be between [${sessionTtlMinSeconds}s=24h0m0s]`;
      return { status: 500, body: `Invalid Session TTL '${ttlMs * 1e6}', ${range}` };
    }
    const lockDelayMs = LockDelay === "" ? 15_000 : readDuration(LockDelay ?? "");
    if (lockDelayMs > LOCK_DELAY_MS_MAX)
      return { status: 400, body: "Invalid LockDelay, must be between 0s and 60s" };
    if (!["", "release", "delete"].includes(Behavior ?? ""))
      return { status: 400, body: `Invalid Behavior setting '${Behavior}'` };
    const id = state.createSession({ behavior: Behavior ?? "", lockDelayMs });
    ttls.set(id, ttlMs);
    keeper.start(id, TTL_TIMES * ttlMs);
    return { status: 200, body: { ID: id } };
  }

  function renew(id: string): Said {
    if (!state.hasSession(id) || !keeper.renew(id))
      return { status: 404, body: `Session id '${id}' not found` };
    return { status: 200, body: [{ ID: id, TTL: `${(ttls.get(id) ?? 0) / 1_000}s` }] };
  }

  async function answer(exchange: Exchange, body: Buffer): Promise<Said> {
    const { request } = exchange;
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://consul");
    const path = decodeURIComponent(pathname);
    const after = (start: string): string => path.slice(start.length);
    // Whoever asks is told this, with or without a token.
    if (path === "/v1/status/leader") return { status: 200, body: '"127.0.0.1:8300"' };
    if (
      token !== undefined &&
      ![undefined, token].includes(String(request.headers["x-consul-token"] ?? token))
    )
      return { status: 403, body: "rpc error making call: ACL not found" };
    if (path === "/v1/txn" && request.method === "PUT") return transact(body, request);
    if (path.startsWith("/v1/kv/")) return list(after("/v1/kv/"), searchParams, exchange);
    if (!isAllowed(request)) return { status: 403, body: "Permission denied" };
    if (path === "/v1/session/create") return createSession(body);
    if (path.startsWith("/v1/session/renew/")) return renew(after("/v1/session/renew/"));
    if (path.startsWith("/v1/session/destroy/")) {
      keeper.remove(after("/v1/session/destroy/"));
      state.endSession(after("/v1/session/destroy/"));
      return { status: 200, body: true };
    }
    return { status: 404, body: "" };
  }

  async function open(): Promise<Door> {
    let resume = Promise.resolve();
    let letGo: () => void = () => undefined;
    const handle: RequestListener = (request, response) => {
      void (async () => {
        const body = await readBody(request);
        await resume;
        const { status, index, body: said } = await answer({ request, response }, body);
        if (index !== undefined) response.setHeader("X-Consul-Index", index);
        response.writeHead(status);
        response.end(typeof said === "string" || said === undefined ? said : JSON.stringify(said));
      })().catch(() => response.destroy());
    };
    const trust = tls?.clientCa === undefined ? {} : { ca: tls.clientCa, requestCert: true };
    const server =
      tls === undefined ? createHttp(handle) : createHttps({ ...tls, ...trust }, handle);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const door: Door = {
      endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      async shut() {
        letGo();
        doors.delete(door);
        const closed = once(server, "close");
        server.close();
        server.closeAllConnections();
        await closed;
      },
      hang(isHung) {
        letGo();
        if (!isHung) return;
        const gate = Promise.withResolvers<void>();
        [resume, letGo] = [gate.promise, gate.resolve];
      },
    };
    doors.add(door);
    return door;
  }

  return {
    state,
    open,
    async [Symbol.asyncDispose]() {
      keeper.stop();
      await Promise.all([...doors].map((door) => door.shut()));
    },
  };
}
