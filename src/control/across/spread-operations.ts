// SPDX-License-Identifier: Apache-2.0
// The operations of a node in a fleet: what it has itself and what other nodes have, as one answer. What stands in the
// fleet's store is known here anyway, so only the rest is asked of the others.
import { Decision } from "@fairlead/protocol/decision.ts";
import { IdentityView } from "@fairlead/protocol/identity.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import { QueueView } from "@fairlead/protocol/routes.ts";
import { Alert, WhyAnswer } from "@fairlead/protocol/views.ts";
import { z } from "zod";
import { FairleadError, isKind } from "#base/errors.ts";
import { controlErrors } from "#control/errors.ts";
import { failLookup, findObject } from "#control/lookup.ts";
import type { Answer, Caller, DecisionFilter, Operations } from "#control/operations.ts";
import type { Parts } from "./ask-nodes.ts";
import type { Question } from "./questions.ts";
import { spreadAct } from "./spread-act.ts";
import { spreadFlows } from "./spread-flows.ts";
import { stamp, type SpreadOptions } from "./spread-options.ts";
import { spreadRevoke } from "./spread-revoke.ts";
import { spreadStreams } from "./spread-streams.ts";

const WHY_DECISIONS = 10;

/** Ids of decisions sort by time. */
function newestFirst(decisions: readonly Decision[]): Decision[] {
  return decisions.toSorted((a, b) => (a.id < b.id ? 1 : -1));
}

function spreadDecisions({ local, others, self, clock }: SpreadOptions) {
  async function readOne(of: string, filter: DecisionFilter, caller: Caller) {
    const nodes = others.list();
    const names = [self, ...nodes.map(({ name }) => name)];
    const node = nodes.find(({ name }) => name === of) ?? failLookup(of, names);
    const question = { ask: "decisions", filter } as const;
    const items = await others.ask(node, question, caller, z.array(Decision));
    return { asOfMs: clock.nowMs(), missing: [], items: stamp(items, of) };
  }

  /** What this node has and what the others have, each with the name of its node. */
  async function joinLists<T extends object>(
    own: Answer<T>,
    question: Question,
    caller: Caller,
    schema: z.ZodType<T>,
  ): Promise<Answer<T>> {
    if (others.list().length === 0) return own;
    const { parts, missing } = await others.gather(question, caller, z.array(schema));
    const items = [
      ...stamp(own.items, self),
      ...parts.flatMap(({ node, value }) => stamp(value, node)),
    ];
    return { ...own, items, missing: [...own.missing, ...missing] };
  }

  return {
    async decisions(filter, caller) {
      const { node: of } = filter;
      if (of !== undefined && of !== self) return readOne(of, filter, caller);
      const own = await local.decisions(filter, caller);
      if (others.list().length === 0 || of === self) return own;
      const question = { ask: "decisions", filter } as const;
      const { parts, missing } = await others.gather(question, caller, z.array(Decision));
      const all = [
        ...stamp(own.items, self),
        ...parts.flatMap(({ node, value }) => stamp(value, node)),
      ];
      const items = newestFirst(all).slice(0, filter.limit);
      return { ...own, items, missing: [...own.missing, ...missing] };
    },
    async decision(id, caller) {
      try {
        return await local.decision(id, caller);
      } catch (thrown) {
        if (!isKind(thrown, controlErrors["no-such-object"])) throw thrown;
        const { parts } = await others.gather({ ask: "decision", id }, caller, Decision);
        const [found] = parts;
        if (found === undefined) throw thrown;
        return { ...found.value, node: found.node };
      }
    },
    async alerts(caller): Promise<Answer<Alert>> {
      return joinLists(await local.alerts(caller), { ask: "alerts" }, caller, Alert);
    },
    async identities(caller): Promise<Answer<IdentityView>> {
      const own = await local.identities(caller);
      return joinLists(own, { ask: "identities" }, caller, IdentityView);
    },
    async queues(caller): Promise<Answer<QueueView>> {
      return joinLists(await local.queues(caller), { ask: "queues" }, caller, QueueView);
    },
  } satisfies Partial<Operations>;
}

/** The same object for any node: by the name that all have for it. */
function nameForOthers(own: WhyAnswer, filter: { readonly scope?: string }) {
  const scope = own.service?.scope ?? filter.scope;
  return { object: own.subject, ...(scope === undefined ? {} : { scope }) };
}

function mergeWhy(own: WhyAnswer, self: string, { parts, missing }: Parts<WhyAnswer>): WhyAnswer {
  const decisions = newestFirst([
    ...stamp(own.decisions, self),
    ...parts.flatMap(({ node, value }) => stamp(value.decisions, node)),
  ]);
  const elsewhere = parts.flatMap(({ node, value }) =>
    value.next.map((text) => `on ${node}: ${text}`),
  );
  return {
    ...own,
    decisions: decisions.slice(0, WHY_DECISIONS),
    next: [...own.next, ...elsewhere],
    ...(missing.length === 0 ? {} : { missing: [...missing] }),
  };
}

/** The node that has an instance; undefined when it is this one. */
async function findHolder(
  { local, others }: SpreadOptions,
  object: string,
  { scope }: { readonly scope?: string },
  caller: Caller,
): Promise<{ readonly node: NodeView; readonly id: string } | undefined> {
  const { items } = await local.scopes(caller);
  const found = findObject(
    items.filter((view) => scope === undefined || view.scope === scope),
    object,
  );
  if (found.kind !== "instance") return undefined;
  const node = others.list().find(({ name }) => name === found.instance.node);
  return node === undefined ? undefined : { node, id: found.instance.id };
}

/** Operations over all nodes; with no other node they are those of this one. */
export function spreadOperations(options: SpreadOptions): Operations {
  const { local, others, self } = options;
  return {
    ...local,
    ...spreadDecisions(options),
    ...spreadStreams(options),
    ...spreadFlows(options),
    act: (scope, request, caller) => spreadAct(options, scope, request, caller),
    revokeIdentity: (object, how, caller) => spreadRevoke(options, object, how, caller),
    async inspect(object, filter, caller) {
      const holder = await findHolder(options, object, filter, caller).catch(() => undefined);
      if (holder === undefined) return local.inspect(object, filter, caller);
      const { node, id } = holder;
      const question = { ask: "inspect", object: id, ...filter } as const;
      try {
        return await others.ask(node, question, caller, z.record(z.string(), z.unknown()));
      } catch (thrown) {
        if (isKind(thrown, controlErrors["node-silent"])) throw thrown;
        const { message } = FairleadError.from(thrown);
        throw new FairleadError(controlErrors["node-silent"], `${node.name}: ${message}`, {
          cause: thrown,
        });
      }
    },
    async why(object, filter, caller) {
      if (/^dec_[0-9A-Z]+$/.test(object)) {
        try {
          return await local.why(object, filter, caller);
        } catch (thrown) {
          if (!isKind(thrown, controlErrors["no-such-object"])) throw thrown;
          const question = { ask: "why", object } as const;
          const [found] = (await others.gather(question, caller, WhyAnswer)).parts;
          if (found === undefined) throw thrown;
          return { ...found.value, decisions: stamp(found.value.decisions, found.node) };
        }
      }
      const own = await local.why(object, filter, caller);
      if (others.list().length === 0) return own;
      const question = { ask: "why", ...nameForOthers(own, filter) } as const;
      return mergeWhy(own, self, await others.gather(question, caller, WhyAnswer));
    },
  };
}
