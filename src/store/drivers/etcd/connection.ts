// SPDX-License-Identifier: Apache-2.0
// Calls to a cluster of etcd: one HTTP/2 connection to the member in use, another member when that one is away.
import { fileURLToPath } from "node:url";
import {
  Client,
  credentials,
  Metadata,
  type ClientDuplexStream,
  type MethodDefinition,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";
import {
  convertError,
  isMemberAway,
  isServiceError,
  isTokenRefused,
  suggestHealth,
} from "./convert-error.ts";
import type { StreamMethods, UnaryMethods } from "./messages.ts";

/** Which etcd, and who we are to it. */
export interface EtcdOptions {
  /** `host:port` of the members, at least one. */
  readonly endpoints: readonly string[];
  /** PEM texts; absent: no TLS. `ca` alone checks the members, `cert` and `key` prove who we are. */
  readonly tls?: { readonly ca: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  readonly user?: { readonly name: string; readonly password: string };
  /** Longest that one member may take for one answer. Default 2 s. */
  readonly attemptTimeoutMs?: number;
  /** After so long without a call the connection to a member is closed. Default 30 s, at least 1 s. */
  readonly idleMs?: number;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Whether it may be sent again to another member when no answer came. */
  readonly repeatable: boolean;
}

interface Member {
  readonly address: string;
  readonly client: Client;
  /** Those that are open. */
  readonly streams: Set<Pick<ClientDuplexStream<object, object>, "cancel">>;
}

const ATTEMPT_TIMEOUT_MS = 2_000;
/** A member that was left for another would keep its connection for half an hour, by gRPC's default. */
const IDLE_MS = 30_000;
const TLS_HINT = "; where it speaks TLS, say store.caFile";
/** What gRPC says before and after the reason why there is no connection. */
const AROUND_REASON =
  /^No connection established\. Last error: (Error: )?|(\s*\(\d{4}-\d\d-\d\dT[^)]*\))?\.? Resolution note:.*$/gs;
/** Finds a member that hangs, or a cable that was pulled, without waiting for TCP. */
const CHANNEL_OPTIONS = {
  // etcd ends a connection with more than one in 5 s.
  "grpc.keepalive_time_ms": 6_000,
  "grpc.keepalive_timeout_ms": 2_000,
  "grpc.keepalive_permit_without_calls": 0,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 2_000,
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  "grpc.use_local_subchannel_pool": 1,
  // A proxy that the environment names is the way to the internet; etcd stands beside the hosts.
  "grpc.enable_http_proxy": 0,
};

const DEFINITIONS = loadSync(fileURLToPath(new URL("etcd.proto", import.meta.url)), {
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
});

function findMethod(path: string): MethodDefinition<object, object> {
  const [service = "", method = ""] = path.split("/");
  const found = DEFINITIONS[`etcdserverpb.${service}`];
  const definition = found !== undefined && !("format" in found) ? found[method] : undefined;
  if (definition === undefined) throw new Error(`etcd.proto has no ${path}`);
  return definition;
}

/** Opened once; dispose of it to end every call. */
export class EtcdConnection {
  readonly #clock: Clock;
  readonly #members: readonly Member[];
  readonly #user: EtcdOptions["user"];
  readonly #isTls: boolean;
  readonly #attemptTimeoutMs: number;
  #current: Member;
  #token: Promise<string> | undefined;
  #closed: FairleadError | undefined;

  constructor({ endpoints, tls, user, ...options }: EtcdOptions, clock: Clock) {
    const { attemptTimeoutMs = ATTEMPT_TIMEOUT_MS, idleMs = IDLE_MS } = options;
    const channel = { ...CHANNEL_OPTIONS, "grpc.client_idle_timeout_ms": idleMs };
    this.#clock = clock;
    const trust =
      tls === undefined
        ? credentials.createInsecure()
        : credentials.createSsl(tls.ca, tls.key ?? null, tls.cert ?? null);
    this.#members = endpoints.map((address) => ({
      address,
      client: new Client(address, trust, channel),
      streams: new Set(),
    }));
    const [first] = this.#members;
    if (first === undefined) throw new Error("no endpoint of etcd is given");
    this.#current = first;
    this.#user = user;
    this.#isTls = tls !== undefined;
    this.#attemptTimeoutMs = attemptTimeoutMs;
  }

  /** Throws FL0401 `store-unavailable` once it is closed. */
  checkOpen(): void {
    if (this.#closed !== undefined) throw this.#closed;
  }

  /** Asks once, and what is repeatable once more for each further member. Throws errors of the store. */
  async call<P extends keyof UnaryMethods>(
    path: P,
    request: UnaryMethods[P]["in"],
    { signal, repeatable }: CallOptions,
  ): Promise<UnaryMethods[P]["out"]> {
    let attempts = repeatable ? this.#members.length + 1 : 1;
    let isTokenNew = false;
    for (;;) {
      const member = await this.#pick(signal);
      attempts--;
      try {
        return await this.#send(member, path, request, await this.#readToken(member), signal);
      } catch (thrown) {
        signal?.throwIfAborted();
        this.checkOpen();
        if (isTokenRefused(thrown) && this.#user !== undefined && !isTokenNew) {
          // The request was not carried out: it may be sent again whatever it is.
          isTokenNew = true;
          attempts++;
          this.#token = undefined;
        } else if (isMemberAway(thrown)) this.#leave(member);
        else throw convertError(thrown, member.address);
        if (attempts <= 0) throw convertError(thrown, member.address);
      }
    }
  }

  /** Opens a stream both ways; the caller cancels it. It breaks when the member goes away. */
  async open<P extends keyof StreamMethods>(
    path: P,
    { signal, timeoutMs = Infinity }: { signal: AbortSignal | undefined; timeoutMs?: number },
  ): Promise<{
    readonly stream: ClientDuplexStream<StreamMethods[P]["in"], StreamMethods[P]["out"]>;
    /** Says that it broke: the next one is opened elsewhere, with a token of its own. */
    leave(thrown: unknown): FairleadError;
  }> {
    const member = await this.#pick(signal);
    const metadata = this.#makeMetadata(await this.#readToken(member));
    const { path: at, requestSerialize, responseDeserialize } = findMethod(path);
    const stream = member.client.makeBidiStreamRequest<object, object>(
      at,
      requestSerialize,
      responseDeserialize,
      metadata,
      { deadline: this.#clock.nowMs() + timeoutMs },
    );
    member.streams.add(stream);
    stream.once("status", () => member.streams.delete(stream));
    return {
      // The loader knows the shapes only when it runs; messages.ts says them for the compiler.
      stream: stream as ClientDuplexStream<StreamMethods[P]["in"], StreamMethods[P]["out"]>,
      leave: (thrown) => {
        if (isTokenRefused(thrown)) this.#token = undefined;
        if (isMemberAway(thrown)) this.#leave(member);
        return convertError(thrown, member.address);
      },
    };
  }

  close(): void {
    this.#closed ??= new FairleadError(storeErrors["store-unavailable"], "The store is closed");
    for (const { client } of this.#members) client.close();
  }

  /** One that does not answer tells nothing on its streams either, which would be known by keepalives only much later. */
  #leave(member: Member): void {
    if (this.#current !== member) return;
    for (const stream of member.streams) stream.cancel();
    const at = this.#members.indexOf(member);
    this.#current = this.#members[(at + 1) % this.#members.length] ?? member;
  }

  /** The member in use, or whichever answers first. */
  async #pick(signal: AbortSignal | undefined): Promise<Member> {
    signal?.throwIfAborted();
    this.checkOpen();
    const from = this.#members.indexOf(this.#current);
    const order = [...this.#members.slice(from), ...this.#members.slice(0, from)];
    for (const member of order) {
      if (await this.#isReady(member, order.length === 1 ? this.#attemptTimeoutMs : 500)) {
        signal?.throwIfAborted();
        this.checkOpen();
        this.#current = member;
        return member;
      }
      signal?.throwIfAborted();
      this.checkOpen();
    }
    throw await this.#explainAway(order);
  }

  /** Why there is no connection: only a call that was tried says it. */
  async #explainAway([first, ...others]: readonly Member[]): Promise<FairleadError> {
    const endpoints = [first, ...others].map((member) => member?.address).join(", ");
    const said = await (first === undefined ? undefined : this.#probe(first));
    const isTls = /certificate|SSL|TLS|alert/i.test(said ?? "");
    return new FairleadError(
      storeErrors[isTls ? "store-untrusted" : "store-unavailable"],
      `no member of etcd answers${said === undefined ? "" : `: ${said}`}`,
      {
        facts: { endpoints },
        ...(isTls ? {} : { remedy: `${suggestHealth(endpoints)}${this.#isTls ? "" : TLS_HINT}` }),
      },
    );
  }

  async #probe(member: Member): Promise<string | undefined> {
    try {
      await this.#send(member, "KV/Range", { key: Buffer.of(0) }, "", undefined);
      return undefined;
    } catch (thrown) {
      if (!isServiceError(thrown)) return undefined;
      return thrown.details.replace(AROUND_REASON, "");
    }
  }

  #isReady({ client }: Member, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      client.waitForReady(this.#clock.nowMs() + timeoutMs, (e) =>
        resolve(e === undefined || e === null),
      );
    });
  }

  #makeMetadata(token: string): Metadata {
    const metadata = new Metadata();
    // A member that has lost the others says so rather than answer from the past.
    metadata.set("hasleader", "true");
    if (token !== "") metadata.set("token", token);
    return metadata;
  }

  async #readToken(member: Member): Promise<string> {
    if (this.#user === undefined) return "";
    this.#token ??= this.#send(member, "Auth/Authenticate", this.#user, "", undefined).then(
      ({ token }) => token,
    );
    try {
      return await this.#token;
    } catch (thrown) {
      this.#token = undefined;
      throw thrown;
    }
  }

  #send<P extends keyof UnaryMethods>(
    { client }: Member,
    path: P,
    request: UnaryMethods[P]["in"],
    token: string,
    signal: AbortSignal | undefined,
  ): Promise<UnaryMethods[P]["out"]> {
    const { path: at, requestSerialize, responseDeserialize } = findMethod(path);
    return new Promise((resolve, reject) => {
      const call = client.makeUnaryRequest<object, object>(
        at,
        requestSerialize,
        responseDeserialize,
        request,
        this.#makeMetadata(token),
        { deadline: this.#clock.nowMs() + this.#attemptTimeoutMs },
        (error, answer) => {
          signal?.removeEventListener("abort", cancel);
          if (error !== null) reject(error);
          else resolve(answer as UnaryMethods[P]["out"]);
        },
      );
      function cancel(): void {
        call.cancel();
      }
      signal?.addEventListener("abort", cancel, { once: true });
    });
  }
}
