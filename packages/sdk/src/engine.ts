// SPDX-License-Identifier: Apache-2.0
// The engine as an agent has it: the containers of its scope, seen and moved through the node: no Docker socket is needed inside a container.
import { FabricError } from "@fairlead/fabric/errors.ts";
import { decodeJson, encodeJson } from "@fairlead/fabric/json.ts";
import type { Link } from "@fairlead/fabric/link.ts";
import { nodeOpen } from "@fairlead/fabric/node-open.ts";
import type {
  ActOnContainerRequest,
  ContainerView,
  ListContainersAnswer,
  ListContainersRequest,
} from "@fairlead/protocol/fabric.ts";
import { toMs, type Duration } from "./duration.ts";
import { callOnce } from "./exchange.ts";

const TIMEOUT_MS = 30_000;

export interface ContainerOptions {
  readonly signal?: AbortSignal;
  /** How long to wait until it is as asked; 30 s by default. What was asked for stays wanted. */
  readonly timeout?: Duration;
}

/** What an agent may do with containers. Every act is a decision of the node: `fairlead why`. */
export class Engine {
  readonly #link: (signal: AbortSignal) => Promise<Link>;

  constructor(link: (signal: AbortSignal) => Promise<Link>) {
    this.#link = link;
  }

  /** Those of the agent's scope that fit. Rejects with `unavailable` while the engine does not answer. */
  async list(
    filter: ListContainersRequest = {},
    options: ContainerOptions = {},
  ): Promise<readonly ContainerView[]> {
    const answer = await this.#ask("$engine/list", filter, options);
    return (answer as ListContainersAnswer).containers;
  }

  /** Starts one that rests; does nothing to one that runs. Rejects with `not_found`, `permission_denied`. */
  start(container: string, options: ContainerOptions = {}): Promise<ContainerView> {
    return this.#act({ act: "start", container }, options);
  }

  /** Stops it; it rests until an agent starts it, or a person with `fairlead up` or `restart`. Rejects as `start` does. */
  stop(container: string, options: ContainerOptions = {}): Promise<ContainerView> {
    return this.#act({ act: "stop", container }, options);
  }

  /** Ends its run and begins another. Rejects as `start` does. */
  restart(container: string, options: ContainerOptions = {}): Promise<ContainerView> {
    return this.#act({ act: "restart", container }, options);
  }

  async #act(request: ActOnContainerRequest, options: ContainerOptions): Promise<ContainerView> {
    return (await this.#ask("$engine/act", request, options)) as ContainerView;
  }

  async #ask(
    method: string,
    request: object,
    { signal, timeout = TIMEOUT_MS }: ContainerOptions,
  ): Promise<unknown> {
    const timeoutMs = toMs(timeout);
    const late = AbortSignal.timeout(timeoutMs);
    const both = signal === undefined ? late : AbortSignal.any([signal, late]);
    try {
      const link = await this.#link(both);
      const payload = encodeJson(request);
      return decodeJson(await callOnce(link, nodeOpen(method), { payload, signal: both }));
    } catch (thrown) {
      if (!late.aborted || signal?.aborted === true) throw FabricError.from(thrown, "unavailable");
      throw new FabricError("deadline_exceeded", `not as asked within ${timeoutMs} ms`);
    }
  }
}
