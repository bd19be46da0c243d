// SPDX-License-Identifier: Apache-2.0
// Which instance answers, and over which link. What the node's registry says is mirrored here, so that choosing asks nobody.
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Link } from "@fairlead/fabric/link.ts";
import type { Registry } from "@fairlead/fabric/registry.ts";
import type { AgentRecord } from "@fairlead/protocol/agent.ts";
import type { Peers } from "./peers.ts";

/** Whom to ask: an agent by name or id, or whoever serves a contract in a compatible version. */
export type Target =
  | { readonly agent: string }
  | { readonly contract: string; readonly version: string };

export interface Route {
  readonly record: AgentRecord;
  readonly link: Link;
  /** True when the node passes it on. */
  readonly relayed: boolean;
  /** To be called when the exchange is over. */
  done(failed: boolean): void;
}

export interface RouterOptions {
  readonly scope: string;
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
      const direct =
        this.#options.peers.get(record.id) ?? (await this.#options.peers.reach(record));
      const link = direct ?? (await this.#options.nodeLink(signal));
      return { record, link, relayed: direct === undefined, done };
    } catch (thrown) {
      done(true);
      throw thrown;
    }
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
