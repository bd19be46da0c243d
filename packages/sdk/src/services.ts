// SPDX-License-Identifier: Apache-2.0
// The contracts that an agent serves, and how busy they keep it.
import type { Conversation } from "@fairlead/fabric/conversation.ts";
import { DRAINING, FabricError } from "@fairlead/fabric/errors.ts";
import type { ServedContract } from "@fairlead/protocol/agent.ts";
import type { Served, ServeOptions } from "./agent-options.ts";
import type { Contract, Methods } from "./contract.ts";
import type { Caller } from "./credentials.ts";
import { toMs } from "./duration.ts";
import { withFields, type Log } from "./log.ts";
import { bindHandlers, type Handlers } from "./serve.ts";
import { answerConversation, settleWithin, type ServedMethod } from "./serving.ts";
import { Turnstile } from "./turnstile.ts";

const DRAIN_MS = 20_000;
const LOAD_MS = 1_000;
/** Load is told when it has changed by so much, not at each call. */
const LOAD_STEP = 0.1;
const LOAD_MAX = 1_000;

interface Service {
  readonly contract: Contract;
  readonly methods: ReadonlyMap<string, ServedMethod>;
  readonly turnstile: Turnstile;
  draining: boolean;
}

export interface ServicesOptions {
  readonly log: Log;
  /** What is told of this agent has changed. */
  readonly onChange: () => void;
}

/** Answers calls. */
export class Services {
  readonly #options: ServicesOptions;
  readonly #services = new Map<string, Service>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #toldLoad = 0;

  constructor(options: ServicesOptions) {
    this.#options = options;
  }

  /** What takes calls. */
  get contracts(): ServedContract[] {
    return [...this.#services.values()]
      .filter(({ draining }) => !draining)
      .map(({ contract: { name, version, methods } }) => ({
        name,
        version,
        methods: Object.keys(methods),
      }));
  }

  /** Whether a contract takes calls; undefined for one that is not served. */
  isServing(contract: string): boolean | undefined {
    const service = this.#services.get(contract);
    return service === undefined ? undefined : !service.draining;
  }

  /** Of the busiest contract: 0 idle, 1 full, more when calls wait; as much as a record may say. */
  get load(): number {
    const loads = [...this.#services.values()].map(({ turnstile }) => turnstile.load);
    return Math.min(LOAD_MAX, Math.round(Math.max(0, ...loads) * 100) / 100);
  }

  /** Throws `already_exists` when the contract is served already. */
  serve<M extends Methods>(
    contract: Contract<M>,
    handlers: Handlers<M>,
    options: ServeOptions,
  ): Served {
    if (this.#services.has(contract.name))
      throw new FabricError("already_exists", `"${contract.name}" is served already`);
    const service: Service = {
      contract,
      methods: bindHandlers(contract, handlers),
      turnstile: new Turnstile({ runningMax: options.concurrency, waitingMax: options.waiting }),
      draining: false,
    };
    this.#services.set(contract.name, service);
    this.#timer ??= setInterval(() => this.#tellLoad(), LOAD_MS).unref();
    this.#options.onChange();
    return {
      drain: async (timeout = DRAIN_MS) => {
        service.draining = true;
        this.#options.onChange();
        await settleWithin(service.turnstile.settle(), toMs(timeout));
        this.#services.delete(contract.name);
        this.#options.onChange();
      },
    };
  }

  /**
   * Answers a call. Throws `unimplemented`, `unavailable` while the contract is drained, `resource_exhausted` when it
   * would not be answered in time.
   */
  answer(conversation: Conversation, from: Caller): void {
    const { method, deadlineMs } = conversation.open;
    const [contract = "", name = ""] = method.split("/");
    const service = this.#services.get(contract);
    const served = service?.methods.get(name);
    if (service === undefined || served === undefined)
      throw new FabricError("unimplemented", `${method} is not served here`);
    if (service.draining)
      throw new FabricError("unavailable", `${contract} takes no more calls`, {
        reason: DRAINING,
      });
    service.turnstile.checkRoom(deadlineMs);
    const log = withFields(this.#options.log, { method, caller: `${from.scope}/${from.name}` });
    void answerConversation(conversation, served, service.turnstile, { caller: from, log });
  }

  /** Resolves once no call runs. */
  async settle(): Promise<void> {
    await Promise.all([...this.#services.values()].map(({ turnstile }) => turnstile.settle()));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #tellLoad(): void {
    const { load } = this;
    if (Math.abs(load - this.#toldLoad) < LOAD_STEP) return;
    this.#toldLoad = load;
    this.#options.onChange();
  }
}
