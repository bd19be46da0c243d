// SPDX-License-Identifier: Apache-2.0
// Rights of the agents that joined this node: identity, then policy, then the moment, then the record. What is refused, asked
// or told is a decision and a line of the audit log, each kind of it at most once a minute.
import type { RightsQuestion, RightsVerdict, RightsView } from "@fairlead/protocol/rights.ts";
import type { AuditLog } from "#audit/audit.ts";
import type { Clock } from "#base/clock.ts";
import { formatDuration } from "#base/duration.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { AlertBoard } from "#control/alert-board.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import { controlErrors } from "#control/errors.ts";
import { createCommonShelf } from "#control/fleet/common-shelf.ts";
import type { AskedBy } from "#control/topologies.ts";
import { createRightsHistory } from "#rights/history.ts";
import type { RightsCompiler } from "#rights/rights.ts";
import type { Store, StoreOperation } from "#store/store.ts";
import { describeRightsChange, nameQuestion } from "./describe-rights.ts";
import { createGovernedScopes } from "./governed-scopes.ts";
import { createRightsBook, isSet, keyOfGrant, keyOfSet, RIGHTS_PREFIX } from "./rights-book.ts";
import type { RightsDesk, RightsJudge, RightsLoop } from "./rights-desk.ts";
import { createTeller } from "./tell-verdicts.ts";

export interface RightsOptions {
  /** Opens the store that keeps them: the fleet's, where there is one. */
  readonly openStore: () => Promise<Store>;
  /** In a fleet the node's own store, for a copy. */
  readonly own: Store | undefined;
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  readonly audit: Pick<AuditLog, "note">;
  readonly alerts: Pick<AlertBoard, "set">;
  /** Loads what evaluates policies; called once there is one. */
  readonly openCompiler: () => Promise<RightsCompiler>;
  readonly clock: Clock;
  readonly logger: Logger;
}

const FREE = "the scope has no rights: everybody may do everything";
const UNKNOWN = "the rights of the fleet are not known yet";

/** Opens them with what is known. */
export async function openRights(
  options: RightsOptions,
): Promise<RightsDesk & RightsJudge & RightsLoop> {
  const { decisions, clock, logger } = options;
  const history = createRightsHistory(clock.nowMs());
  const listeners: ((scope: string | undefined) => void)[] = [];
  const announce = (scope: string | undefined): void => {
    for (const listener of listeners) listener(scope);
  };
  const book = createRightsBook(logger);
  const { openCompiler } = options;
  const scopes = createGovernedScopes({ book, openCompiler, onGoverned: announce, logger });
  const tell = createTeller(options);
  const { openStore, own } = options;
  const shelf = createCommonShelf({
    what: "rights",
    prefix: RIGHTS_PREFIX,
    isLasting: isSet,
    book,
    openStore,
    own,
    clock,
    logger,
  });
  await shelf.read();
  await scopes.refresh();
  /** Whether rights are in force: from then on what is kept is. */
  let { isKnown } = shelf;
  shelf.onChange(() => {
    void scopes.refresh().then(() => {
      if (isKnown || !shelf.isKnown) return;
      isKnown = true;
      announce(undefined);
    });
  });

  function view({ scope, name, text }: Omit<RightsView, "policies">): RightsView {
    const policies = scopes.get(scope)?.policies.get(name) ?? [];
    return { scope, name, text, policies: policies.map((policy) => policy.name) };
  }

  function isGranted(question: RightsQuestion): boolean {
    const nowMs = clock.nowMs();
    return [question, { ...question, method: "" }].some((one) => book.grantedUntilMs(one) > nowMs);
  }

  function decide(question: RightsQuestion, isReal: boolean): RightsVerdict {
    const { scope, caller } = question;
    const identity = `${scope}/${caller}, as its ticket or certificate says`;
    const context = history[isReal ? "count" : "look"](question, clock.nowMs());
    const plain = (outcome: "allow" | "deny", because: string): RightsVerdict => ({
      outcome,
      identity,
      policies: [],
      context,
      because,
    });
    if (!isKnown) return plain("deny", UNKNOWN);
    const governed = scopes.get(scope);
    if (governed === undefined) return plain("allow", FREE);
    const { rights } = governed;
    if (rights === undefined) return plain("deny", "what is kept cannot be read");
    const { outcome, policies, because } = rights.decide(question, context, isGranted(question));
    return { outcome, identity, policies: [...policies], context, because };
  }

  function passes({ outcome }: RightsVerdict): boolean {
    return outcome === "allow" || outcome === "alert";
  }

  async function change(
    scope: string,
    about: {
      readonly act: "rights.apply" | "rights.remove" | "rights.grant";
      readonly title: string;
    },
    by: AskedBy,
    work: () => Promise<string>,
  ): Promise<void> {
    const action = describeRightsChange(scope, about, by.actor, clock.nowMs());
    const decision = await decisions.begin(action, { scope, ...by });
    try {
      const result = await work();
      await decisions.finish(decision, { outcome: "done", result });
    } catch (thrown) {
      const error = FairleadError.from(thrown);
      await decisions.finish(decision, { outcome: "failed", result: error.message });
      throw error;
    }
  }

  /** Writes, and returns once it is in force. */
  async function write(operations: readonly StoreOperation[]): Promise<void> {
    await shelf.change(async (to) => void (await to.transact(operations)));
    await scopes.refresh();
  }

  return {
    list: () => [...book.listSets(), ...book.listBroken()].map(view),
    async apply({ scope, name, text }, by) {
      const others = book.listSets().filter((one) => one.scope === scope && one.name !== name);
      const record = { scope, name, text };
      await scopes.check([...others, record]);
      const title = `declared the rights ${name}`;
      await change(scope, { act: "rights.apply", title }, by, async () => {
        await write([{ kind: "put", key: keyOfSet(record), value: record }]);
        return `${scopes.get(scope)?.rights?.names.length ?? 0} policies in force`;
      });
      return view(record);
    },
    async remove(scope, name, by) {
      const kept = [...book.listSets(), ...book.listBroken()];
      if (!kept.some((one) => one.scope === scope && one.name === name))
        throw new FairleadError(controlErrors["no-rights"], `${scope} has no rights ${name}`);
      const title = `removed the rights ${name}`;
      await change(scope, { act: "rights.remove", title }, by, async () => {
        await write([{ kind: "delete", key: keyOfSet({ scope, name }) }]);
        const left = scopes.get(scope);
        if (left === undefined) return FREE;
        return left.rights === undefined
          ? "nothing passes: what is left cannot be read"
          : "what the others permit is permitted";
      });
    },
    test: (question) => decide(question, false),
    async grant({ forMs, reason: _reason, ...question }, by) {
      const title = `allowed for ${formatDuration(forMs)}: ${nameQuestion(question)}`;
      await change(question.scope, { act: "rights.grant", title }, by, async () => {
        const nowMs = clock.nowMs();
        const key = keyOfGrant(question);
        const over = book.listGrants().filter(([, { untilMs }]) => untilMs <= nowMs);
        await write([
          { kind: "put", key, value: { ...question, untilMs: nowMs + forMs } },
          ...over
            .filter(([old]) => old !== key)
            .map(([old]): StoreOperation => ({ kind: "delete", key: old })),
        ]);
        return "lifts what asks, not what forbids";
      });
      return decide(question, false);
    },
    get isKnown() {
      return isKnown;
    },
    get problem() {
      return shelf.problem;
    },
    run: (signal) => shelf.run(signal),
    governs: (scope) => !isKnown || scopes.get(scope) !== undefined,
    onGoverned: (listener) => void listeners.push(listener),
    judge(question) {
      if (isKnown && scopes.get(question.scope) === undefined) return undefined;
      const verdict = decide(question, true);
      if (passes(verdict)) history.admit(question);
      if (isKnown && verdict.outcome !== "allow") tell(question, verdict);
      return passes(verdict) ? undefined : verdict;
    },
    look(question) {
      if (isKnown && scopes.get(question.scope) === undefined) return undefined;
      const verdict = decide(question, false);
      return passes(verdict) ? undefined : verdict;
    },
  };
}
