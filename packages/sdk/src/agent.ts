// SPDX-License-Identifier: Apache-2.0
// An agent that joined: what it serves, whom it calls, what it sends and hears. Made by `join`.
import type { Conversation } from "@fairlead/fabric/conversation.ts";
import { DRAINING, FabricError } from "@fairlead/fabric/errors.ts";
import { decodeJson, encodeJson } from "@fairlead/fabric/json.ts";
import type { Link } from "@fairlead/fabric/link.ts";
import { createRegistry, type Registry } from "@fairlead/fabric/registry.ts";
import type { AgentChange } from "@fairlead/protocol/agent.ts";
import type { FindRequest, JoinRequest } from "@fairlead/protocol/fabric.ts";
import { FACE_TAG } from "@fairlead/protocol/names.ts";
import { rankPlace } from "@fairlead/routing/distance.ts";
import type {
  AgentEnd,
  AgentOptions,
  ConsumeOptions,
  Consuming,
  EmitOptions,
  Found,
  PingAnswer,
  Served,
  ServeOptions,
  Subscribed,
  SubscribeOptions,
} from "./agent-options.ts";
import { answerRoute, ROUTE } from "./answer-route.ts";
import { Calling, type CallOptions } from "./calling.ts";
import { checkRoute, type RouteExplanation } from "./choosing.ts";
import { createClient, type Client } from "./client.ts";
import { Consumers } from "./consuming.ts";
import type { Contract, Methods } from "./contract.ts";
import { Credentials } from "./credentials.ts";
import { describeAgent } from "./describe-agent.ts";
import { toMs, type Duration } from "./duration.ts";
import { EMIT, Emitting } from "./emitting.ts";
import { Engine } from "./engine.ts";
import type { Environment, Listening } from "./environment.ts";
import { Hearing } from "./hearing.ts";
import { createJsonLog, withFields, type Log } from "./log.ts";
import type { MessageHandler } from "./messages.ts";
import { NodeSession, type SessionStatus } from "./node-session.ts";
import { passOn } from "./pass-on.ts";
import { Peers } from "./peers.ts";
import { Publishing, type Published, type PublishOptions } from "./publishing.ts";
import { Reporting } from "./reporting.ts";
import { Router, type Target } from "./router.ts";
import type { Handlers } from "./serve.ts";
import { Services } from "./services.ts";
import { ServingState } from "./serving-state.ts";
import { settleWithin } from "./serving.ts";
import { StatusFeed } from "./status-feed.ts";
import { injectTrace, traceHandler } from "./tracing.ts";
import { watchDirectory } from "./watch-directory.ts";

const PING = "$ping";
const DRAIN_MS = 20_000;

/** A program in the fabric. */
export class Agent implements AsyncDisposable {
  readonly id: string;
  readonly name: string;
  readonly scope: string;
  /** Resolves when this agent has left; never rejects. */
  readonly closed: Promise<AgentEnd>;
  /** The containers of this agent's scope. */
  readonly engine: Engine;
  /** Writes lines that name this agent. */
  readonly log: Log;
  readonly #options: AgentOptions;
  readonly #credentials: Credentials;
  readonly #directory: Registry = createRegistry();
  readonly #peers: Peers;
  readonly #session: NodeSession;
  readonly #reporting: Reporting;
  readonly #router: Router;
  readonly #calling: Calling;
  readonly #emitting: Emitting;
  readonly #publishing: Publishing;
  readonly #consumers: Consumers;
  readonly #feed = new StatusFeed();
  readonly #services: Services;
  readonly #hearing = new Hearing(() => this.#session.update());
  readonly #ending = new AbortController();
  #listening: Listening | undefined;
  readonly #state = new ServingState((contract) => this.#services.isServing(contract));

  private constructor(environment: Environment, options: AgentOptions) {
    const { random } = environment;
    this.#options = options;
    this.log = withFields(options.log ?? createJsonLog(), { agent: options.name });
    this.#services = new Services({ log: this.log, onChange: () => this.#changed() });
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
      onStatus: (status) => {
        this.#feed.tell(status);
        if (status.state === "joined") this.#reporting.send();
      },
      onEnd: (end) => void this.#leave(end),
      giveUpMs: options.giveUpAfter === undefined ? Infinity : toMs(options.giveUpAfter),
      onRoutes: (routes) => this.#router.setRoutes(routes),
    });
    this.engine = new Engine((signal) => this.#session.link(signal));
    const isFace = options.tags?.[FACE_TAG] !== undefined;
    this.#reporting = new Reporting(() => (isFace ? undefined : this.#session.linked));
    this.#router = new Router({
      tally: this.#reporting.tally,
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
    this.#calling = new Calling({ router: this.#router, random });
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
    const agent = new Agent(environment, options);
    agent.#listening = await environment.listen?.(
      (transport) => agent.#peers.accept(transport),
      agent.#state,
    );
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

  /** Those who are there now, the nearest first. */
  async find(filter: FindRequest = {}): Promise<readonly Found[]> {
    await this.#session.link();
    const { locality: here = {} } = this.#options;
    const found = this.#directory
      .list({ ...filter, scope: this.scope })
      .map((record) => ({ ...record, distance: rankPlace(here, record.locality) }));
    return found.toSorted((one, other) => one.distance - other.distance);
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
    return this.#hearing.add(pattern, handler, options);
  }

  /** Gives a message to the node to keep, JSON or bytes; resolves once it is on disk. */
  publish(subject: string, data: unknown, options: PublishOptions = {}): Promise<Published> {
    const payload = data instanceof Uint8Array ? data : encodeJson(data);
    const headers = injectTrace(options.headers);
    return this.#publishing.publish(subject, payload, {
      ...options,
      ...(headers === undefined ? {} : { headers }),
    });
  }

  /**
   * Handles messages that are kept. Returning acknowledges a message, throwing asks for it again, `reject` sends it to
   * `<subject>.dead`. The subscription may be used at once; awaited, it is there once the node has it, and rejects when
   * the node refuses it, as one without a log does. Throws `invalid_argument` for what is no pattern.
   */
  on<T = unknown>(
    pattern: string,
    handler: MessageHandler<T>,
    options: ConsumeOptions<T> = {},
  ): Consuming & Promise<Consuming> {
    const consumer = this.#consumers.open(pattern, traceHandler(handler), options);
    const { ready, closed } = consumer;
    const consuming: Consuming = { ready, closed, drain: () => consumer.drain() };
    const standing = ready.then(() => consuming);
    standing.catch(() => undefined);
    return Object.assign(standing, consuming);
  }

  /**
   * Sends a message straight to those who hear its subject, JSON or bytes. Nothing is kept: who is not there does not get
   * it. Resolves when it is on its way; undefined at once when there was room, so that a fast publisher need not wait.
   * Who does not await it gets `resource_exhausted` once some megabytes wait for one subscriber.
   */
  emit(subject: string, data: unknown, options: EmitOptions = {}): Promise<void> | undefined {
    const payload = data instanceof Uint8Array ? data : encodeJson(data);
    const headers = injectTrace(options.headers);
    return this.#emitting.emit(subject, payload, { key: options.key, headers });
  }

  /** How many subscribers and groups a message of this subject would reach now. */
  async reach(subject: string): Promise<number> {
    return this.#emitting.count(subject);
  }

  /** Says that this program is unwell, or well again: nobody routes calls to it meanwhile, and gRPC health says so too. */
  setHealthy(healthy: boolean): void {
    this.#state.healthy = healthy;
    this.#changed();
  }

  /** Takes no new work, finishes what runs, leaves. */
  async drain(timeout: Duration = DRAIN_MS): Promise<void> {
    if (this.#state.draining) return;
    this.#state.draining = true;
    this.#feed.tell({ state: "draining", reason: "asked to" });
    this.#changed();
    const running = [this.#services.settle(), this.#consumers.drain(), this.#publishing.flush()];
    await settleWithin(Promise.all(running), toMs(timeout));
    await this.#leave({ reason: "drained" });
  }

  /** Leaves at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#leave({ reason: "disposed" });
  }

  async #leave(end: AgentEnd): Promise<void> {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort(new FabricError("canceled", "this agent has left"));
    for (const part of [this.#services, this.#hearing, this.#emitting, this.#publishing])
      part.close();
    await settleWithin(this.#consumers.close(), 1_000);
    this.#reporting.close();
    await this.#session.stop();
    this.#feed.end(end);
    await this.#peers.drain(1_000);
    this.#router.close();
    await this.#listening?.[Symbol.asyncDispose]();
  }

  #describe(): JoinRequest {
    const { draining, healthy } = this.#state;
    return describeAgent(this.#options, {
      addresses: [...(this.#listening?.addresses ?? [])],
      contracts: this.#services.contracts,
      heard: this.#hearing.all,
      load: this.#services.load,
      backlog: this.#hearing.backlog,
      draining,
      healthy,
      key: this.#credentials.publicKey,
    });
  }

  /** What is told of this agent has changed. */
  #changed(): void {
    this.#session.update();
    this.#state.tell();
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
    if (method === EMIT) return this.#hearing.receive(conversation, caller);
    if (this.#state.draining)
      throw new FabricError("unavailable", `${this.name} is leaving`, { reason: DRAINING });
    this.#services.answer(conversation, caller);
  }
}
