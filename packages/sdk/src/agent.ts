// SPDX-License-Identifier: Apache-2.0
// An agent that joined: what it serves, whom it calls, what it sends and hears. Made by `join`.
import type { Conversation } from "@fairlead/fabric/conversation.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { decodeJson, encodeJson } from "@fairlead/fabric/json.ts";
import type { Link } from "@fairlead/fabric/link.ts";
import { createRegistry, type Registry } from "@fairlead/fabric/registry.ts";
import { SubjectIndex } from "@fairlead/fabric/subject-index.ts";
import type { AgentChange, AgentRecord } from "@fairlead/protocol/agent.ts";
import type { FindRequest, JoinRequest } from "@fairlead/protocol/fabric.ts";
import { SUBSCRIPTIONS_MAX } from "@fairlead/protocol/names.ts";
import { answerRoute, ROUTE } from "./answer-route.ts";
import { Calling, type CallOptions } from "./calling.ts";
import type {
  AgentEnd,
  AgentOptions,
  ConsumeOptions,
  Consuming,
  EmitOptions,
  PingAnswer,
  Served,
  ServeOptions,
  Subscribed,
  SubscribeOptions,
} from "./agent-options.ts";
import { checkRoute, ROUTE_TAG, type RouteExplanation } from "./choosing.ts";
import { createClient, type Client } from "./client.ts";
import { Consumers } from "./consuming.ts";
import { Containers } from "./containers.ts";
import type { Contract, Methods } from "./contract.ts";
import { Credentials } from "./credentials.ts";
import { toMs, type Duration } from "./duration.ts";
import { EMIT, Emitting } from "./emitting.ts";
import type { Environment, Listening } from "./environment.ts";
import type { MessageHandler } from "./messages.ts";
import { NodeSession, type SessionStatus } from "./node-session.ts";
import { passOn } from "./pass-on.ts";
import { Peers } from "./peers.ts";
import { Publishing, type Published, type PublishOptions } from "./publishing.ts";
import {
  createSubscription,
  receiveMessages,
  tooManySubscriptions,
  type DirectSubscription,
} from "./receiving.ts";
import { Router, type Target } from "./router.ts";
import type { Handlers } from "./serve.ts";
import { Services } from "./services.ts";
import { settleWithin } from "./serving.ts";
import { StatusFeed } from "./status-feed.ts";
import { findTracing, type Tracing } from "./tracing.ts";
import { watchDirectory } from "./watch-directory.ts";

const PING = "$ping";
const TTL_MS = 5_000;
const DRAIN_MS = 20_000;

/** A program in the fabric. */
export class Agent implements AsyncDisposable {
  readonly id: string;
  readonly name: string;
  readonly scope: string;
  /** Resolves when this agent has left; never rejects. */
  readonly closed: Promise<AgentEnd>;
  /** The containers of this agent's scope. */
  readonly containers: Containers;
  readonly #options: AgentOptions;
  readonly #credentials: Credentials;
  readonly #directory: Registry = createRegistry();
  readonly #peers: Peers;
  readonly #session: NodeSession;
  readonly #router: Router;
  readonly #calling: Calling;
  readonly #emitting: Emitting;
  readonly #publishing: Publishing;
  readonly #consumers: Consumers;
  readonly #feed = new StatusFeed();
  readonly #services: Services;
  readonly #subscriptions = new Set<DirectSubscription>();
  readonly #heard = new SubjectIndex<DirectSubscription>();
  readonly #ending = new AbortController();
  #listening: Listening | undefined;
  #draining = false;

  private constructor(environment: Environment, options: AgentOptions, tracing: Tracing) {
    const { random } = environment;
    this.#options = options;
    this.#services = new Services({ tracing, onChange: () => this.#session.update() });
    this.name = options.name;
    this.scope = options.scope ?? "default";
    this.id = `${options.name}.${Math.floor(random() * 2 ** 48).toString(36)}`;
    this.closed = this.#feed.closed;
    const accept = (conversation: Conversation, link: Link): void =>
      this.#accept(conversation, link);
    const self = { id: this.id, name: this.name, scope: this.scope };
    const answer = () => this.#session.answer;
    this.#credentials = new Credentials({ ...self, answer });
    this.#peers = new Peers({
      environment,
      self,
      credentials: this.#credentials,
      accept,
      ...(options.link === undefined ? {} : { link: options.link }),
    });
    this.#session = new NodeSession({
      environment,
      identity: { ...self, ...(options.ticket === undefined ? {} : { ticket: options.ticket }) },
      describe: () => this.#describe(),
      directory: this.#directory,
      accept,
      onStatus: (status) => this.#feed.tell(status),
      onRoutes: (routes) => this.#router.setRoutes(routes),
    });
    this.containers = new Containers((signal) => this.#session.link(signal));
    this.#router = new Router({
      scope: this.scope,
      name: this.name,
      locality: options.locality ?? {},
      nodeRoute: () => this.#session.answer?.route,
      directory: this.#directory,
      peers: this.#peers,
      nodeLink: (signal) => this.#session.link(signal),
      prove: (target, method) => this.#credentials.prove(target, method),
      random,
    });
    this.#calling = new Calling({
      router: this.#router,
      random,
      inject: (headers) => tracing.inject(headers),
    });
    const link = (signal: AbortSignal): Promise<Link> => this.#session.link(signal);
    this.#publishing = new Publishing({ link, random });
    this.#consumers = new Consumers({ scope: this.scope, link });
    this.#emitting = new Emitting({
      scope: this.scope,
      directory: this.#directory,
      router: this.#router,
    });
  }

  /** Listens, joins, and knows who is there. Rejects with `invalid_argument` for a route, `unavailable` when the node cannot be reached. */
  static async start(environment: Environment, options: AgentOptions): Promise<Agent> {
    checkRoute(options.route);
    const agent = new Agent(environment, options, await findTracing());
    agent.#listening = await environment.listen?.((transport) => agent.#peers.accept(transport));
    try {
      await agent.#session.start();
    } catch (thrown) {
      await agent.#listening?.[Symbol.asyncDispose]();
      throw FabricError.from(thrown, "unavailable");
    }
    return agent;
  }

  /** The node that it joined. */
  get node(): { readonly id: string; readonly name: string } {
    return this.#session.answer?.node ?? { id: "", name: "" };
  }

  /** What happens between this agent and its node, from now on, beginning with how it is. */
  status(): AsyncIterable<SessionStatus> {
    return this.#feed.read();
  }

  /** Answers the calls of a contract. Throws `already_exists` when it is served already. */
  async serve<M extends Methods>(
    contract: Contract<M>,
    handlers: Handlers<M>,
    options: ServeOptions = {},
  ): Promise<Served> {
    return this.#services.serve(contract, handlers, options);
  }

  /** A typed client of a contract, answered by whoever serves it, or by one agent. */
  client<M extends Methods>(
    contract: Contract<M>,
    options: { readonly agent?: string } = {},
  ): Client<M> {
    return createClient(contract, this.#calling, options.agent);
  }

  /** Calls `contract/method` of an agent without its contract at hand: JSON in, JSON out, checked by the other side only. */
  async call(
    agent: string,
    method: string,
    input: unknown,
    options: CallOptions = {},
  ): Promise<unknown> {
    const target = { agent };
    const payload = encodeJson(input);
    return decodeJson(
      await this.#calling.call({ target, method, payload, idempotent: false, options }),
    );
  }

  /** The same for a method that answers with a stream. */
  async *stream(
    agent: string,
    method: string,
    input: unknown,
    options: CallOptions = {},
  ): AsyncGenerator<unknown> {
    const request = {
      target: { agent },
      method,
      payload: encodeJson(input),
      idempotent: false,
      options,
    };
    for await (const item of this.#calling.stream(request)) yield decodeJson(item);
  }

  /** Goes to an agent and back with a payload of this size. Resolves with how it went there. */
  async ping(agent: string, sizeBytes = 0, options: CallOptions = {}): Promise<PingAnswer> {
    const target = { agent };
    const payload = Buffer.alloc(sizeBytes);
    const beganMs = performance.now();
    const answer = await this.#calling.call({
      target,
      method: PING,
      payload,
      idempotent: true,
      options,
    });
    return {
      tookMs: performance.now() - beganMs,
      by: answer === undefined ? "" : Buffer.from(answer).toString("utf8"),
    };
  }

  /** Why calls of an agent's name or of a contract go where they go. Throws `not_found` for nobody. */
  explainRoute(target: Target): RouteExplanation {
    return this.#router.explain(target);
  }

  /** Those who are there now. */
  async find(filter: FindRequest = {}): Promise<readonly AgentRecord[]> {
    await this.#session.link();
    return this.#directory.list({ ...filter, scope: this.scope });
  }

  /** Those who are there, then those who come, change and go, until `signal` aborts or the loop is left. */
  watch(
    filter: FindRequest = {},
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<AgentChange> {
    const signals = [
      this.#ending.signal,
      ...(options.signal === undefined ? [] : [options.signal]),
    ];
    return watchDirectory(
      this.#directory,
      { ...filter, scope: this.scope },
      AbortSignal.any(signals),
    );
  }

  /**
   * Hears the messages that are emitted to subjects like `orders.*` or `logs.>`. Throws `invalid_argument` for what is no
   * pattern, `resource_exhausted` beyond a thousand of them.
   */
  hear<T = unknown>(
    pattern: string,
    handler: MessageHandler<T>,
    options: SubscribeOptions<T> = {},
  ): Subscribed {
    const [subscription, end] = createSubscription(pattern, handler, options);
    if (this.#subscriptions.size >= SUBSCRIPTIONS_MAX) throw tooManySubscriptions();
    this.#subscriptions.add(subscription);
    this.#heard.add(pattern, subscription);
    this.#session.update();
    return {
      close: () => {
        this.#subscriptions.delete(subscription);
        this.#heard.delete(pattern, subscription);
        end();
        this.#session.update();
      },
    };
  }

  /** Gives a message to the node to keep, JSON or bytes; resolves once it is on disk. */
  publish(subject: string, data: unknown, options: PublishOptions = {}): Promise<Published> {
    const payload = data instanceof Uint8Array ? data : encodeJson(data);
    return this.#publishing.publish(subject, payload, options);
  }

  /**
   * Handles messages that are kept. Returning acknowledges a message, throwing asks for it again, `reject` sends it to
   * `<subject>.dead`. Resolves once the node has the subscription; rejects when it refuses it, as one without a log does.
   */
  async on<T = unknown>(
    pattern: string,
    handler: MessageHandler<T>,
    options: ConsumeOptions<T> = {},
  ): Promise<Consuming> {
    return this.#consumers.open(pattern, handler, options);
  }

  /**
   * Sends a message straight to those who hear its subject, JSON or bytes. Nothing is kept: who is not there does not get
   * it. Resolves when it is on its way; undefined at once when there was room, so that a fast publisher need not wait.
   */
  emit(subject: string, data: unknown, options: EmitOptions = {}): Promise<void> | undefined {
    const payload = data instanceof Uint8Array ? data : encodeJson(data);
    return this.#emitting.emit(subject, payload, options.key);
  }

  /** How many subscribers and groups a message of this subject would reach now. */
  async reach(subject: string): Promise<number> {
    return this.#emitting.count(subject);
  }

  /** Takes no new work, finishes what runs, leaves. */
  async drain(timeout: Duration = DRAIN_MS): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    this.#feed.tell({ state: "draining", reason: "asked to" });
    this.#session.update();
    const running = [this.#services.settle(), this.#consumers.drain(), this.#publishing.flush()];
    await settleWithin(Promise.all(running), toMs(timeout));
    await this.#leave("drained");
  }

  /** Leaves at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#leave("disposed");
  }

  async #leave(reason: string): Promise<void> {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort(new FabricError("canceled", "this agent has left"));
    this.#services.close();
    this.#emitting.close();
    this.#publishing.close();
    await settleWithin(this.#consumers.close(), 1_000);
    await this.#session.stop(reason);
    await this.#peers.drain(1_000);
    this.#router.close();
    await this.#listening?.[Symbol.asyncDispose]();
  }

  #describe(): JoinRequest {
    const {
      kind = "service",
      version = "0.0.0",
      skills = [],
      tags = {},
      locality = {},
      route,
    } = this.#options;
    return {
      kind,
      version,
      skills: [...skills],
      tags: route === undefined ? { ...tags } : { ...tags, [ROUTE_TAG]: route },
      locality,
      addresses: [...(this.#listening?.addresses ?? [])],
      contracts: this.#services.contracts,
      subscriptions: [...this.#subscriptions].map(({ pattern, group }) => ({
        pattern,
        durable: false,
        ...(group === "" ? {} : { group }),
      })),
      load: this.#services.load,
      draining: this.#draining,
      healthy: true,
      ttlMs: TTL_MS,
      key: this.#credentials.publicKey,
    };
  }

  #accept(conversation: Conversation, link: Link): void {
    const { method, target } = conversation.open;
    const { sender, caller } = this.#credentials.read(conversation.open, link.peer);
    this.#router.checkSender(sender.name);
    if (target !== "" && target !== this.id) return passOn(conversation, this.#router);
    if (method === PING) {
      conversation.end(Buffer.from(this.id));
      return;
    }
    if (method === ROUTE) return answerRoute(conversation, this.#router);
    if (method === EMIT) return receiveMessages(conversation, this.#heard, caller);
    if (this.#draining)
      throw new FabricError("unavailable", `${this.name} is leaving`, { reason: "draining" });
    this.#services.answer(conversation, caller);
  }
}
