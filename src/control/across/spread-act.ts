// SPDX-License-Identifier: Apache-2.0
// Restart, pause and resume where the instances are.
import { Plan } from "@fairlead/protocol/decision.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { ActionRequest } from "@fairlead/protocol/requests.ts";
import { hashValue } from "#base/canonical-json.ts";
import { FairleadError } from "#base/errors.ts";
import { controlErrors } from "#control/errors.ts";
import { failLookup } from "#control/lookup.ts";
import type { Caller } from "#control/operations.ts";
import { tellWhy, type Part } from "./ask-nodes.ts";
import type { SpreadOptions } from "./spread-options.ts";

/** So many names of services go into one question. */
const NAMES_MAX = 50;
/** How long a node may take to let the others know that something goes on there. */
const NOTED_MAX_MS = 1_000;
const LOOK_MS = 20;

/** The steps of all, those of other nodes with the node's name; `warnings` says who was not reached. */
function mergePlans(own: Plan, parts: readonly Part<Plan>[], warnings: readonly string[]): Plan {
  const steps = parts.flatMap(({ node, value }) =>
    value.steps.map((step) => ({ ...step, title: `${step.title} on ${node}` })),
  );
  return {
    ...own,
    basis: hashValue([own.basis, ...parts.map(({ value }) => value.basis)]),
    steps: [...own.steps, ...steps],
    warnings: [
      ...new Set([own, ...parts.map(({ value }) => value)].flatMap((p) => p.warnings)),
      ...warnings,
    ],
  };
}

function* splitNames(request: ActionRequest): Generator<ActionRequest> {
  const { services } = request;
  if (services.length === 0) yield request;
  for (let from = 0; from < services.length; from += NAMES_MAX)
    yield { ...request, services: services.slice(from, from + NAMES_MAX) };
}

/** Throws what the first of the nodes said when none of them has acted. */
export async function spreadAct(
  options: SpreadOptions,
  scope: string,
  request: ActionRequest,
  caller: Caller,
): Promise<Plan> {
  const { local, actHere, others, desk, clock } = options;
  const wanted = desk.wanted(scope);
  const nodes = others.list();
  if (wanted === undefined || nodes.length === 0) return local.act(scope, request, caller);
  if (wanted.removal !== undefined)
    throw new FairleadError(controlErrors["scope-conflict"], `scope ${scope} is being removed`);
  const names = wanted.intent.services.map(({ name }) => name);
  for (const name of request.services) if (!names.includes(name)) failLookup(name, names);

  const parts: Part<Plan>[] = [];
  const failures: FairleadError[] = [];
  const warnings: string[] = [];
  async function askOther(node: NodeView): Promise<void> {
    try {
      for (const one of splitNames(request)) {
        const question = { ask: "act", scope, request: one } as const;
        const plan = await others.ask(node, question, caller, Plan.nullable());
        if (plan !== null) parts.push({ node: node.name, value: plan });
      }
    } catch (thrown) {
      caller.signal.throwIfAborted();
      failures.push(FairleadError.from(thrown));
      warnings.push(`nothing was done on ${node.name}: ${tellWhy(node, thrown)}`);
    }
  }
  const [own] = await Promise.all([
    actHere(scope, request, caller).catch((thrown: unknown) => {
      failures.unshift(FairleadError.from(thrown));
      warnings.unshift(
        `nothing was done on ${options.self}: ${FairleadError.from(thrown).message}`,
      );
      return undefined;
    }),
    ...nodes.map(askOther),
  ]);
  parts.sort((a, b) => a.node.localeCompare(b.node));
  const [first] = parts;
  const base = own ?? first?.value;
  if (base === undefined) {
    const [failure] = failures;
    throw (
      failure ??
      new FairleadError(controlErrors["no-such-object"], `no node has any of ${scope} yet`)
    );
  }
  const isDone = parts.some(({ value }) => value.steps.length > 0);
  if (request.dryRun !== true && request.action === "restart" && isDone) await awaitNoted();
  return mergePlans(own ?? { ...base, steps: [], warnings: [] }, parts, warnings.sort());

  /** Whoever waits for the scope to settle must not take how it was before for how it is. */
  async function awaitNoted(): Promise<void> {
    const untilMs = clock.monotonicMs() + NOTED_MAX_MS;
    while (clock.monotonicMs() < untilMs) {
      if (!(await local.scope(scope, caller)).settled) return;
      await clock.sleep(LOOK_MS);
    }
  }
}
