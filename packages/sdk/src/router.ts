// SPDX-License-Identifier: Apache-2.0
// Which instance answers, and over which link. What the node's registry says is mirrored here, so that choosing asks nobody.
import { refuseLink } from "@fairlead/fabric/check-link.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Link } from "@fairlead/fabric/link.ts";
import type { Registry } from "@fairlead/fabric/registry.ts";
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import type { Routes } from "@fairlead/protocol/fabric.ts";
import type { Peers } from "./peers.ts";

/** Whom to ask: an agent by name or id, or whoever serves a contract in a compatible version. */
export type Target =
  | { readonly agent: string }
  | { readonly contract: string; readonly version: string };

export interface Route {
  readonly record: AgentRecord;
  readonly link: Link;
  /** What to write into the opening: empty for the peer itself, else who is to be reached through it. */
  readonly target: string;
  /** To be called when the exchange is over. */
  done(failed: boolean): void;
}

export interface RouterOptions {
  readonly scope: string;
  readonly name: string;
  readonly directory: Registry;
  readonly peers: Peers;
  readonly nodeLink: (signal?: AbortSignal) => Promise<Link>;
  readonly random: () => number;
}

/** What this agent knows of an instance from its own calls. */
interface Standing {
  inFlight: number;
  failuresInARow: number;
}

const FAILURES_MAX = 5;

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

/** Chooses among the instances that the registry knows. */
export class Router {
  readonly #options: RouterOptions;
  readonly #standings = new Map<string, Standing>();
  /** Candidates by target; emptied whenever the registry changes. */
  readonly #candidates = new Map<string, readonly AgentRecord[]>();
  readonly #stop: () => void;
  #routes: Routes | undefined;

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#stop = options.directory.watch((change) => {
      this.#candidates.clear();
      if (change.type !== "gone") return;
      this.#standings.delete(change.agent.id);
      options.peers.drop(change.agent.id);
    });
  }

  close(): void {
    this.#stop();
  }

  /** An instance and a link to it. Throws `not_found` for nobody, `unavailable` when nobody takes calls. */
  async route(
    target: Target,
    signal: AbortSignal | undefined,
    avoid?: ReadonlySet<string>,
  ): Promise<Route> {
    const record = this.#pick(target, avoid);
    const standing = this.#standing(record.id);
    standing.inFlight++;
    const done = (failed: boolean): void => {
      standing.inFlight--;
      standing.failuresInARow = failed ? standing.failuresInARow + 1 : 0;
    };
    try {
      const next = this.#nextTo(record);
      const direct = this.#options.peers.get(next.id) ?? (await this.#options.peers.reach(next));
      const link = direct ?? (await this.#options.nodeLink(signal));
      const passed = next === record ? [] : [record.id];
      const way = direct === undefined ? [next.id, ...passed] : passed;
      return { record, link, target: way.join("/"), done };
    } catch (thrown) {
      done(true);
      throw thrown;
    }
  }

  /** Follows a topology; undefined: this agent may send to anyone. */
  setRoutes(routes: Routes | undefined): void {
    this.#routes = routes;
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
    if (!routes.from.includes(name)) throw refuseLink(name, this.#options.name, routes.to);
  }

  /** The instance itself, or an instance of the neighbour by which the topology leads there. */
  #nextTo(record: AgentRecord): AgentRecord {
    const routes = this.#routes;
    const { name } = this.#options;
    if (routes === undefined || record.name === name || !routes.members.includes(record.name))
      return record;
    if (routes.to.includes(record.name)) return record;
    const via = Object.hasOwn(routes.via, record.name) ? routes.via[record.name] : undefined;
    if (via === undefined) throw refuseLink(name, record.name, routes.to);
    return this.#pick({ agent: via }, undefined);
  }

  /** Instances that could answer, whatever their state. */
  find(target: Target): readonly AgentRecord[] {
    const key = "agent" in target ? `a ${target.agent}` : `c ${target.contract} ${target.version}`;
    const known = this.#candidates.get(key);
    if (known !== undefined) return known;
    const found = this.#search(target);
    this.#candidates.set(key, found);
    return found;
  }

  #search(target: Target): readonly AgentRecord[] {
    const { directory, scope } = this.#options;
    if ("agent" in target) {
      const byId = directory.get(target.agent);
      return byId === undefined ? directory.named(scope, target.agent) : [byId];
    }
    return directory
      .list({ scope, contract: target.contract })
      .filter(({ contracts }) =>
        contracts.some(
          ({ name, version }) => name === target.contract && isCompatible(version, target.version),
        ),
      );
  }

  #standing(id: string): Standing {
    const known = this.#standings.get(id);
    if (known !== undefined) return known;
    const standing = { inFlight: 0, failuresInARow: 0 };
    this.#standings.set(id, standing);
    return standing;
  }

  /** Power of two choices by calls in flight, among those that are well. */
  #pick(target: Target, avoid: ReadonlySet<string> | undefined): AgentRecord {
    const found = this.find(target);
    if (found.length === 0) {
      throw new FabricError("not_found", `there is no ${describeTarget(target)}`, {
        reason: "no-agent",
        retryable: true,
      });
    }
    const taking = found.filter(({ draining, healthy }) => healthy && !draining);
    const fresh = taking.filter(
      ({ id }) =>
        avoid?.has(id) !== true && (this.#standings.get(id)?.failuresInARow ?? 0) < FAILURES_MAX,
    );
    const pool = fresh.length > 0 ? fresh : taking;
    const [a, b] = [this.#draw(pool), this.#draw(pool)];
    if (a === undefined || b === undefined) {
      throw new FabricError("unavailable", `no instance of ${describeTarget(target)} takes calls`, {
        reason: "no-instance",
        facts: { instances: String(found.length) },
      });
    }
    const load = ({ id }: AgentRecord): number => this.#standings.get(id)?.inFlight ?? 0;
    return load(b) < load(a) ? b : a;
  }

  #draw(pool: readonly AgentRecord[]): AgentRecord | undefined {
    return pool[Math.floor(this.#options.random() * pool.length)];
  }
}
