// SPDX-License-Identifier: Apache-2.0
// Which instance answers, and over which link. What the node's registry says is mirrored here, so that choosing asks nobody.
import { refuseLink } from "@fairlead/fabric/check-link.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Headers } from "@fairlead/fabric/frame.ts";
import { LinkMeter, type LinkTally } from "@fairlead/fabric/link-tally.ts";
import type { Link } from "@fairlead/fabric/link.ts";
import type { Registry } from "@fairlead/fabric/registry.ts";
import type { AgentRecord, Locality } from "@fairlead/protocol/agent.ts";
import type { Routes } from "@fairlead/protocol/fabric.ts";
import { FACE_TAG, isAgentId } from "@fairlead/protocol/names.ts";
import type { LinkView } from "@fairlead/protocol/route-answer.ts";
import type { CallOutcome } from "@fairlead/routing/balancer.ts";
import type { RetryBudget } from "@fairlead/routing/retry-budget.ts";
import { Choosing, type RouteExplanation } from "./choosing.ts";
import type { Peers } from "./peers.ts";

/** Whom to ask: an agent by name or id, or whoever serves a contract in a compatible version. */
export type Target = (
  | { readonly agent: string }
  | { readonly contract: string; readonly version: string }
) & {
  /** How the caller's contract wants it routed. */
  readonly route?: string | undefined;
};

/** `overtaken`: another instance was asked too and answered first. */
export type RouteOutcome = CallOutcome | "overtaken";

/** What a call wants beyond its target. */
export interface RouteWish {
  /** Instances that were tried already. */
  readonly avoid?: ReadonlySet<string> | undefined;
  readonly headers?: Headers | undefined;
}

export interface Route {
  readonly record: AgentRecord;
  readonly link: Link;
  /** What to write into the opening: empty for the peer itself, else who is to be reached through it. */
  readonly target: string;
  /** Proof of who asks, for a method that is passed on by members of the topology; else empty. */
  prove(method: string): string;
  /** When a second instance is to be asked, if that does no harm; undefined: never. */
  readonly hedgeAfterMs: number | undefined;
  /** Counts what is sent on the link, for the report to the node; undefined where the node knows it. */
  readonly meter: LinkMeter | undefined;
  /** Name of whom it is handed to first, by the topology. */
  readonly via: string;
  /** What may be repeated; undefined where there is nobody to choose from. */
  readonly budget: RetryBudget | undefined;
  /** To be called when the exchange is over. `tookMs`: until its first answer; by default until now. */
  done(outcome: RouteOutcome, tookMs?: number): void;
}

export interface RouterOptions {
  readonly scope: string;
  readonly name: string;
  readonly locality: Locality;
  /** What the node says for services that say nothing themselves. */
  readonly nodeRoute: () => string | undefined;
  readonly directory: Registry;
  /** Where links in use, and tries that were refused, are counted. */
  readonly tally: LinkTally;
  readonly peers: Peers;
  readonly nodeLink: (signal?: AbortSignal) => Promise<Link>;
  /** Proves to an agent, by id, who asks for a method. */
  readonly prove: (target: string, method: string) => string;
  readonly random: () => number;
}

/** Targets that are remembered; beyond it the oldest begins anew. */
const TARGETS_MAX = 1_000;

/** Whether a served version answers calls made for another: the same major, and not older. */
export function isCompatible(served: string, wanted: string): boolean {
  const [a = [], b = []] = [served, wanted].map((version) => version.split(".").map(Number));
  if (a[0] !== b[0]) return false;
  if ((a[1] ?? 0) !== (b[1] ?? 0)) return (a[1] ?? 0) > (b[1] ?? 0);
  return (a[2] ?? 0) >= (b[2] ?? 0);
}

function describeTarget(target: Target): string {
  return "agent" in target ? `agent "${target.agent}"` : `contract "${target.contract}"`;
}

function findHeader(headers: Headers | undefined, name: string): string | undefined {
  if (headers === undefined || name === "") return undefined;
  const found = Object.entries(headers).find(([key]) => key.toLowerCase() === name);
  return found?.[1];
}

function refuseNobody(target: Target): FabricError {
  return new FabricError("not_found", `there is no ${describeTarget(target)}`, {
    reason: "no-agent",
    retryable: true,
    unbegun: true,
  });
}

/** Nobody takes calls: they leave or are ill, or each has as many as its policy allows. */
function refuseAll(target: Target, records: readonly AgentRecord[]): FabricError {
  const facts = { instances: String(records.length) };
  if (!records.some(({ draining, healthy }) => healthy && !draining)) {
    return new FabricError("unavailable", `no instance of ${describeTarget(target)} takes calls`, {
      reason: "no-instance",
      facts,
    });
  }
  return new FabricError(
    "resource_exhausted",
    `every instance of ${describeTarget(target)} has as many calls as it takes or its policy allows`,
    { reason: "breaker", facts },
  );
}

function checkTaking(record: AgentRecord | undefined, target: Target): AgentRecord {
  if (record === undefined) throw refuseNobody(target);
  if (record.draining || !record.healthy) throw refuseAll(target, [record]);
  return record;
}

/** Chooses among the instances that the registry knows. */
export class Router {
  readonly #options: RouterOptions;
  readonly #choosing = new Map<string, Choosing>();
  /** Targets whose candidates are as the registry has them; emptied whenever it changes. */
  readonly #fresh = new Map<string, Choosing>();
  readonly #stop: () => void;
  /** Tries that the topology refused, by whom they were for, since this agent began. */
  readonly #refusals = new Map<string, number>();
  readonly #rerouted = new Set<() => void>();
  #routes: Routes | undefined;

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#stop = options.directory.watch((change) => {
      this.#fresh.clear();
      if (change.type === "gone") options.peers.part(change.agent.id);
      else options.peers.meet(change.agent);
    });
  }

  close(): void {
    this.#stop();
  }

  /** An instance and a link to it. Throws `not_found` for nobody, `unavailable` when nobody takes calls. */
  async route(
    target: Target,
    signal: AbortSignal | undefined,
    wish: RouteWish = {},
  ): Promise<Route> {
    const isOne = "agent" in target && isAgentId(target.agent);
    const single = isOne ? this.#options.directory.get(target.agent) : undefined;
    const choosing = isOne ? undefined : this.#learn(target);
    const record =
      choosing === undefined ? checkTaking(single, target) : this.#pick(choosing, target, wish);
    const balancer = choosing?.balancer;
    let beganMs = performance.now();
    balancer?.started(record.id);
    const done = (outcome: RouteOutcome, tookMs?: number): void => {
      const nowMs = performance.now();
      const spentMs = tookMs ?? nowMs - beganMs;
      if (outcome !== "overtaken") return balancer?.ended(record.id, spentMs, outcome, nowMs);
      balancer?.ended(record.id, spentMs, "canceled", nowMs);
      balancer?.observe(record.id, spentMs, nowMs);
    };
    try {
      const way = await this.#findWay(record, signal);
      // Dialling happens once and says nothing of how quick the instance is.
      beganMs = performance.now();
      return {
        record,
        ...way,
        hedgeAfterMs: balancer?.hedgeAfterMs(),
        budget: choosing?.budget,
        done,
      };
    } catch (thrown) {
      // That there is no link says nothing of the instance.
      const isRefused = FabricError.from(thrown).reason === "no-link";
      done(isRefused || signal?.aborted === true ? "canceled" : "failed");
      throw thrown;
    }
  }

  /** Why calls go where they go. Throws `not_found` for nobody. */
  explain(target: Target): RouteExplanation {
    const choosing = this.#learn(target);
    if (choosing.candidates.length === 0) throw refuseNobody(target);
    return choosing.explain(performance.now());
  }

  /** The same for every target that was called and is called so, or has candidates of that name. */
  explainAll(name: string): readonly RouteExplanation[] {
    const nowMs = performance.now();
    return [...this.#choosing.values()]
      .filter((choosing) => choosing.isAbout(name))
      .map((choosing) => choosing.explain(nowMs));
  }

  /** What the topology says of those who are called so, or serve a contract of that name; empty where it says nothing. */
  explainLinks(name: string): readonly LinkView[] {
    const { directory, scope } = this.#options;
    const targets = [...this.#choosing.values()].filter((choosing) => choosing.isAbout(name));
    const records = [
      ...directory.named(scope, name),
      ...targets.flatMap(({ candidates }) => candidates.map(({ record }) => record)),
    ];
    const byName = new Map(records.map((record) => [record.name, record]));
    return [...byName.values()].flatMap((record) => {
      const to = record.name;
      if (this.#routes?.members.includes(to) !== true || to === this.#options.name) return [];
      const via = this.#findVia(record);
      const refused = this.#refusals.get(to) ?? 0;
      return [{ to, ...(via === undefined ? {} : { via }), linksTo: this.#routes.to, refused }];
    });
  }

  async #findWay(
    record: AgentRecord,
    signal: AbortSignal | undefined,
  ): Promise<Pick<Route, "link" | "target" | "prove" | "meter" | "via">> {
    const next = this.#nextTo(record);
    const direct = this.#options.peers.get(next.id) ?? (await this.#options.peers.reach(next));
    const link = direct ?? (await this.#options.nodeLink(signal));
    const passed = next === record ? [] : [record.id];
    const way = direct === undefined ? [next.id, ...passed] : passed;
    const prove = (method: string): string =>
      next === record ? "" : this.#options.prove(record.id, method);
    const isTalk = direct !== undefined && record.tags[FACE_TAG] === undefined;
    const { name, tally } = this.#options;
    const meter = isTalk ? new LinkMeter(tally, name, next.name) : undefined;
    return { link, target: way.join("/"), prove, meter, via: next.name };
  }

  /** Follows a topology; undefined: this agent may send to anyone. */
  setRoutes(routes: Routes | undefined): void {
    this.#routes = routes;
    this.#fresh.clear();
    for (const listener of this.#rerouted) listener();
  }

  /** Calls `listener` whenever the topology has changed. */
  onRerouted(listener: () => void): void {
    this.#rerouted.add(listener);
  }

  /** Name of the neighbour to whom what is for an agent is handed now; undefined where it may not be sent. */
  viaTo(id: string): string | undefined {
    const record = this.#options.directory.get(id);
    return record === undefined ? undefined : this.#findVia(record);
  }

  /** How often a message may be passed on; undefined when this agent passes nothing on. */
  get hopsMax(): number | undefined {
    return this.#routes?.hopsMax;
  }

  /** Throws `permission_denied` when the topology has no link from that member to this agent. */
  checkSender(name: string): void {
    const routes = this.#routes;
    if (routes === undefined || name === this.#options.name || !routes.members.includes(name))
      return;
    if (routes.from.includes(name)) return;
    this.#options.tally.at(name, this.#options.name).refused++;
    throw refuseLink(name, this.#options.name, routes.to);
  }

  #findVia({ name }: AgentRecord): string | undefined {
    const routes = this.#routes;
    if (routes === undefined || name === this.#options.name || !routes.members.includes(name))
      return name;
    if (routes.to.includes(name)) return name;
    return Object.hasOwn(routes.via, name) ? routes.via[name] : undefined;
  }

  /** The instance itself, or an instance of the neighbour by which the topology leads there. */
  #nextTo(record: AgentRecord): AgentRecord {
    const via = this.#findVia(record);
    if (via === record.name) return record;
    const { name, tally } = this.#options;
    if (via === undefined) {
      tally.at(name, record.name).refused++;
      const refused = (this.#refusals.get(record.name) ?? 0) + 1;
      this.#refusals.delete(record.name);
      if (this.#refusals.size < TARGETS_MAX) this.#refusals.set(record.name, refused);
      throw refuseLink(name, record.name, this.#routes?.to ?? []);
    }
    const neighbour: Target = { agent: via };
    return this.#pick(this.#learn(neighbour), neighbour, {});
  }

  /** What is known of a target, its candidates as they are now. */
  #learn(target: Target): Choosing {
    const own = target.route ?? "";
    const about = "agent" in target ? target.agent : target.contract;
    const whom = "agent" in target ? `a ${target.agent}` : `c ${target.contract} ${target.version}`;
    const key = `${whom} ${own}`;
    const fresh = this.#fresh.get(key);
    if (fresh !== undefined) return fresh;
    const choosing = this.#choosing.get(key) ?? new Choosing(about, own, this.#options.locality);
    this.#choosing.delete(key);
    this.#choosing.set(key, choosing);
    const [oldest = key] = this.#choosing.keys();
    if (this.#choosing.size > TARGETS_MAX) this.#choosing.delete(oldest);
    const found = this.#search(target);
    // Of several that serve it those are chosen from whom the topology leads to; without any the call is refused.
    const reachable = found.filter((record) => this.#findVia(record) !== undefined);
    choosing.learn(reachable.length === 0 ? found : reachable, this.#options.nodeRoute());
    if (this.#fresh.size >= TARGETS_MAX) this.#fresh.clear();
    this.#fresh.set(key, choosing);
    return choosing;
  }

  #search(target: Target): readonly AgentRecord[] {
    const { directory, scope } = this.#options;
    if ("agent" in target) return directory.named(scope, target.agent);
    return directory
      .list({ scope, contract: target.contract })
      .filter(({ contracts }) =>
        contracts.some(
          ({ name, version }) => name === target.contract && isCompatible(version, target.version),
        ),
      );
  }

  #pick(choosing: Choosing, target: Target, { avoid, headers }: RouteWish): AgentRecord {
    const { candidates, balancer } = choosing;
    if (candidates.length === 0) throw refuseNobody(target);
    const key = findHeader(headers, balancer.policy.hashHeader);
    const hint = { avoid, key };
    const picked = balancer.pick(candidates, performance.now(), this.#options.random, hint);
    if (picked !== undefined) return picked.record;
    throw refuseAll(
      target,
      candidates.map(({ record }) => record),
    );
  }
}
