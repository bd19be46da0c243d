// SPDX-License-Identifier: Apache-2.0
// Rights of the agents that joined this node: identity, then policy, then the moment, then the record. What is refused, asked
// or told is a decision and a line of the audit log, each kind of it at most once a minute.
import {
  RightsRequest,
  type RightsQuestion,
  type RightsVerdict,
  type RightsView,
} from "@fairlead/protocol/rights.ts";
import { z } from "zod";
import type { AuditLog } from "#audit/audit.ts";
import type { Clock } from "#base/clock.ts";
import { formatDuration } from "#base/duration.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { AlertBoard } from "#control/alert-board.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import { controlErrors } from "#control/errors.ts";
import type { AskedBy } from "#control/topologies.ts";
import { createRightsHistory } from "#rights/history.ts";
import type { NamedPolicy, Rights, RightsCompiler } from "#rights/rights.ts";
import type { Store } from "#store/store.ts";
import { describeRightsChange, describeVerdict, nameQuestion } from "./describe-rights.ts";
import type { RightsDesk, RightsJudge } from "./rights-desk.ts";

const PREFIX = "rights/";
const TELL_MS = 60_000;
const TOLD_MAX = 10_000;
const ALERTS_MAX = 20;

const RightsRecord = z.strictObject({
  scope: RightsRequest.shape.scope,
  name: RightsRequest.shape.name,
  text: z.string(),
});
type RightsRecord = z.infer<typeof RightsRecord>;

export interface RightsOptions {
  readonly store: Pick<Store, "list" | "transact">;
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  readonly audit: Pick<AuditLog, "note">;
  readonly alerts: Pick<AlertBoard, "set">;
  /** Loads what evaluates policies; called once there is one. */
  readonly openCompiler: () => Promise<RightsCompiler>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What one scope has; `rights` is undefined when what is kept cannot be read: then nothing passes. */
interface Governed {
  readonly records: readonly RightsRecord[];
  readonly policies: ReadonlyMap<string, readonly NamedPolicy[]>;
  readonly rights: Rights | undefined;
}

const FREE = "the scope has no rights: everybody may do everything";

/** Opens them with what the store has. */
export async function openRights(options: RightsOptions): Promise<RightsDesk & RightsJudge> {
  const { store, decisions, audit, alerts, clock, logger } = options;
  const scopes = new Map<string, Governed>();
  const history = createRightsHistory(clock.nowMs());
  /** Until when a person said yes, by question. */
  const grants = new Map<string, number>();
  const told = new Map<string, number>();
  const listeners: ((scope: string) => void)[] = [];
  let compiler: Promise<RightsCompiler> | undefined;

  async function compile(records: readonly RightsRecord[]): Promise<Governed> {
    const { read, compile: make } = await (compiler ??= options.openCompiler());
    const policies = new Map(records.map(({ name, text }) => [name, read(name, text)]));
    return { records, policies, rights: make([...policies.values()].flat()) };
  }

  /** What cannot be read is no reason to keep another from going; nothing passes then. */
  async function compileKept(scope: string, records: readonly RightsRecord[]): Promise<Governed> {
    try {
      return await compile(records);
    } catch (error) {
      const { message } = FairleadError.from(error);
      logger.error("rights that are kept cannot be read; nothing passes in their scope", {
        scope,
        reason: message,
      });
      return { records, policies: new Map(), rights: undefined };
    }
  }

  function place(scope: string, next: Governed | undefined): void {
    const before = scopes.get(scope);
    if (next === undefined) scopes.delete(scope);
    else scopes.set(scope, next);
    before?.rights?.[Symbol.dispose]();
    if ((before === undefined) !== (next === undefined))
      for (const listener of listeners) listener(scope);
  }

  const { entries } = await store.list(PREFIX);
  const kept = entries.flatMap(({ value }) => RightsRecord.safeParse(value).data ?? []);
  for (const [scope, records] of Map.groupBy(kept, (record) => record.scope)) {
    scopes.set(scope, await compileKept(scope, records));
  }

  function view({ scope, name, text }: RightsRecord): RightsView {
    const policies = scopes.get(scope)?.policies.get(name) ?? [];
    return { scope, name, text, policies: policies.map((policy) => policy.name) };
  }

  function isGranted(question: RightsQuestion): boolean {
    const names = [nameQuestion(question), nameQuestion({ ...question, method: "" })];
    return names.some((name) => (grants.get(name) ?? 0) > clock.monotonicMs());
  }

  function decide(question: RightsQuestion, isReal: boolean): RightsVerdict {
    const { scope, caller } = question;
    const identity = `${scope}/${caller}, as its ticket or certificate says`;
    const context = history[isReal ? "count" : "look"](question, clock.nowMs());
    const governed = scopes.get(scope);
    if (governed === undefined)
      return { outcome: "allow", identity, policies: [], context, because: FREE };
    if (governed.rights === undefined)
      return {
        outcome: "deny",
        identity,
        policies: [],
        context,
        because: "what is kept cannot be read",
      };
    const { outcome, policies, because } = governed.rights.decide(
      question,
      context,
      isGranted(question),
    );
    return { outcome, identity, policies: [...policies], context, because };
  }

  /** Writes down what was not simply let through; the same again waits for a minute. */
  function tell(question: RightsQuestion, verdict: RightsVerdict): void {
    const key = `${nameQuestion(question)} ${verdict.outcome} ${verdict.policies.join()}`;
    const nowMs = clock.monotonicMs();
    if (nowMs - (told.get(key) ?? Number.NEGATIVE_INFINITY) < TELL_MS) return;
    if (told.size >= TOLD_MAX) told.clear();
    told.set(key, nowMs);
    const action = describeVerdict(question, verdict, clock.nowMs());
    audit.note({
      kind: "verdict",
      actor: `agent ${question.scope}/${question.caller}`,
      what: nameQuestion(question),
      outcome: verdict.outcome,
      facts: { because: verdict.because },
    });
    if (verdict.outcome === "ask" || verdict.outcome === "alert") raise(action.title, verdict);
    const context = { scope: question.scope, actor: "automatic", outcome: "observed" } as const;
    void decisions.begin(action, context);
  }

  const raised: string[] = [];
  function raise(title: string, { outcome, because }: RightsVerdict): void {
    const name = outcome === "ask" ? "AgentAsks" : "AgentUnusual";
    const said = `${name} ${title}`;
    if (!raised.includes(said)) raised.push(said);
    // No more than people read: the oldest goes.
    if (raised.length > ALERTS_MAX) alerts.set(raised.shift() ?? "", undefined);
    alerts.set(said, `${title}: ${because}`);
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

  return {
    list: () =>
      [...scopes.values()]
        .flatMap(({ records }) => records)
        .toSorted((a, b) => (`${a.scope}/${a.name}` < `${b.scope}/${b.name}` ? -1 : 1))
        .map(view),
    async apply({ scope, name, text }, by) {
      const others = (scopes.get(scope)?.records ?? []).filter((one) => one.name !== name);
      const record = { scope, name, text };
      const next = await compile([...others, record]);
      await change(
        scope,
        { act: "rights.apply", title: `declared the rights ${name}` },
        by,
        async () => {
          await store.transact([{ kind: "put", key: `${PREFIX}${scope}/${name}`, value: record }]);
          place(scope, next);
          return `${next.rights?.names.length ?? 0} policies in force`;
        },
      );
      return view(record);
    },
    async remove(scope, name, by) {
      const records = scopes.get(scope)?.records ?? [];
      const others = records.filter((one) => one.name !== name);
      if (others.length === records.length)
        throw new FairleadError(controlErrors["no-rights"], `${scope} has no rights ${name}`);
      const next = others.length === 0 ? undefined : await compileKept(scope, others);
      await change(
        scope,
        { act: "rights.remove", title: `removed the rights ${name}` },
        by,
        async () => {
          await store.transact([{ kind: "delete", key: `${PREFIX}${scope}/${name}` }]);
          place(scope, next);
          if (next === undefined) return FREE;
          return next.rights === undefined
            ? "nothing passes: what is left cannot be read"
            : "what the others permit is permitted";
        },
      );
    },
    test: (question) => decide(question, false),
    async grant({ forMs, reason: _reason, ...question }, by) {
      const what = nameQuestion(question);
      const title = `allowed for ${formatDuration(forMs)}: ${what}`;
      await change(question.scope, { act: "rights.grant", title }, by, async () => {
        grants.set(what, clock.monotonicMs() + forMs);
        return "lifts what asks, not what forbids";
      });
      return decide(question, false);
    },
    governs: (scope) => scopes.has(scope),
    onGoverned: (listener) => void listeners.push(listener),
    judge(question) {
      if (!scopes.has(question.scope)) return undefined;
      const verdict = decide(question, true);
      const passes = verdict.outcome === "allow" || verdict.outcome === "alert";
      if (passes) history.admit(question);
      if (verdict.outcome !== "allow") tell(question, verdict);
      return passes ? undefined : verdict;
    },
  };
}
