// SPDX-License-Identifier: Apache-2.0
// How instances of one target are chosen: the policy that holds for it, and what this agent has seen of them.
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { AgentRecord, Locality } from "@fairlead/protocol/agent.ts";
import { Balancer } from "@fairlead/routing/balancer.ts";
import type { Endpoint } from "@fairlead/routing/endpoint.ts";
import type { Explanation } from "@fairlead/routing/explain.ts";
import { parsePolicy, writePolicy } from "@fairlead/routing/parse-policy.ts";
import { POLICY_DEFAULT, type Policy } from "@fairlead/routing/policy.ts";
import { RetryBudget } from "@fairlead/routing/retry-budget.ts";

/** Tags of a record with which a service says how calls to it are routed, and the share of an instance. */
export const ROUTE_TAG = "fairlead.route";
export const WEIGHT_TAG = "fairlead.weight";

/** An instance to choose from. */
export interface Candidate extends Endpoint {
  readonly record: AgentRecord;
}

/** Where a policy was said. */
export type PolicySource = "contract" | "service" | "default";

/** Why calls go where they go, as this agent sees it. */
export interface RouteExplanation extends Explanation {
  readonly source: PolicySource;
  /** What is wrong with a policy that was said and is not followed. */
  readonly problem?: string | undefined;
  /** Name of the contract or of the agent that is called. */
  readonly about: string;
  /** Nodes of the candidates by id, where they are known. */
  readonly nodes: Readonly<Record<string, string>>;
  /** Now, on the clock of the choices. */
  readonly asOfMs: number;
}

interface Chosen {
  readonly policy: Policy;
  readonly source: PolicySource;
  readonly problem?: string | undefined;
}

const WEIGHT_MAX = 1_000;

function readWeight(text: string | undefined): number {
  const weight = Number(text ?? 1);
  return weight >= 0 && weight <= WEIGHT_MAX ? weight : 1;
}

function toCandidate(record: AgentRecord): Candidate {
  const { id, locality, load, draining, healthy, tags } = record;
  return { id, locality, load, draining, healthy, weight: readWeight(tags[WEIGHT_TAG]), record };
}

/** Throws `invalid_argument` for a route that is none. */
export function checkRoute(route: string | undefined): void {
  const parsed = route === undefined ? undefined : parsePolicy(route);
  if (parsed === undefined || parsed.ok) return;
  throw new FabricError(
    "invalid_argument",
    `the route "${route}" is not right: ${parsed.problem}`,
    {
      reason: "route",
    },
  );
}

/** What the node says for all, or what holds without it: a node that is newer may say what is not known here. */
function readBase(text: string | undefined): Policy {
  const parsed = text === undefined ? undefined : parsePolicy(text);
  return parsed?.ok === true ? parsed.policy : POLICY_DEFAULT;
}

/** What the caller's contract says, else what the newest instance says, else what the node says for all. */
export function choosePolicy(
  own: string,
  records: readonly AgentRecord[],
  base: Policy = POLICY_DEFAULT,
): Chosen {
  const [newest] = records
    .filter(({ tags }) => tags[ROUTE_TAG] !== undefined)
    .toSorted((a, b) => b.joinedAtMs - a.joinedAtMs);
  const source = own === "" ? "service" : "contract";
  const text = own === "" ? newest?.tags[ROUTE_TAG] : own;
  if (text === undefined) return { policy: base, source: "default" };
  const parsed = parsePolicy(text, base);
  if (parsed.ok) return { policy: parsed.policy, source };
  return { policy: base, source: "default", problem: `"${text}": ${parsed.problem}` };
}

/** One target. */
export class Choosing {
  readonly #about: string;
  readonly #own: string;
  readonly #here: Locality;
  #chosen: Chosen = { policy: POLICY_DEFAULT, source: "default" };
  #candidates: readonly Candidate[] = [];
  #balancer: Balancer<Candidate>;
  #budget = new RetryBudget(POLICY_DEFAULT.retryShare);

  /** `about`: the contract or agent. `own`: the policy of the caller's contract; empty for none. */
  constructor(about: string, own: string, here: Locality) {
    this.#about = about;
    this.#own = own;
    this.#here = here;
    this.#balancer = new Balancer({ policy: POLICY_DEFAULT, here });
  }

  get budget(): RetryBudget {
    return this.#budget;
  }

  get balancer(): Balancer<Candidate> {
    return this.#balancer;
  }

  get candidates(): readonly Candidate[] {
    return this.#candidates;
  }

  /** The registry has changed. What is known of instances is kept unless the policy is another. */
  learn(records: readonly AgentRecord[], nodeRoute?: string): void {
    this.#candidates = records.map(toCandidate);
    const chosen = choosePolicy(this.#own, records, readBase(nodeRoute));
    const { policy } = this.#chosen;
    this.#chosen = chosen;
    if (writePolicy(policy) === writePolicy(chosen.policy)) return;
    this.#balancer = new Balancer({ policy: chosen.policy, here: this.#here });
    this.#budget = new RetryBudget(chosen.policy.retryShare);
  }

  explain(nowMs: number): RouteExplanation {
    const { source, problem } = this.#chosen;
    const nodes = this.#candidates.map(({ id, record }) => [id, record.node ?? ""] as const);
    return {
      ...this.#balancer.explain(nowMs),
      about: this.#about,
      source,
      ...(problem === undefined ? {} : { problem }),
      nodes: Object.fromEntries(nodes.filter(([, node]) => node !== "")),
      asOfMs: nowMs,
    };
  }

  /** Whether it is called so, or one of its candidates is. */
  isAbout(name: string): boolean {
    return this.#about === name || this.#candidates.some(({ record }) => record.name === name);
  }
}
