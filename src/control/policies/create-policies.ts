// SPDX-License-Identifier: Apache-2.0
// The loop that enforces network policy: what is declared and who there is become tables, and the guard installs them.
// While the store does not answer, what was last known stays in force.
import type { PolicyMode, PolicyView, NetworkPolicy } from "#model/policy.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { describePolicyChange } from "./describe-policy-turn.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import type { AskedBy } from "#control/topologies.ts";
import type { Guard } from "#guard/guard.ts";
import { OWN_LABELS } from "#model/facts.ts";
import type { Intent } from "#model/intent.ts";
import { createPolicyCompiler } from "#policy/compile-policies.ts";
import { makeLabelPolicy } from "#policy/label-policies.ts";
import { matchLabels } from "#policy/select.ts";
import type { PolicyWorld } from "#policy/world.ts";
import type { Store } from "#store/store.ts";
import { createWorldBuilder, isGuardable } from "./build-world.ts";
import { answerCan } from "./can.ts";
import { createEnforcer } from "./enforcer.ts";
import type { Policies } from "./policies.ts";
import {
  createPolicyBook,
  namesOf,
  POLICY_PREFIX,
  removePolicy,
  writeRequest,
} from "./policy-book.ts";

export interface PoliciesOptions {
  readonly guard: Guard;
  /** Opens the store that keeps policies; it is not disposed of here. */
  readonly openStore: () => Promise<Store>;
  readonly board: Pick<FactsBoard, "read" | "ready" | "onChange" | "find">;
  /** What is wanted of the scopes of this host, for the labels of their services. */
  readonly intents: () => readonly Intent[];
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The loop, and what others may ask of it. */
export interface PolicyLoop extends Policies {
  /** Resolves when new networks are held where they have to be: before anybody is on them. */
  guardNetworks(): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
}

const RETRY_MS = 1_000;
/** How often rules are looked at although nothing was told. */
const RESYNC_MS = 10_000;
/** How long a write waits until it is in force here. */
const SETTLE_MS = 5_000;

/** A policy of a service's label keeps its object while the service is the same. */
function createLabelReader(): (intents: readonly Intent[]) => readonly NetworkPolicy[] {
  let known = new Map<string, { readonly text: string; readonly policy: NetworkPolicy }>();
  return (intents) => {
    const next: typeof known = new Map();
    for (const { scope, services } of intents)
      for (const { name, container, origins, at } of services) {
        const labels = container.Labels ?? {};
        const policy = makeLabelPolicy({ scope, service: name, labels, origins, at });
        if (policy === undefined) continue;
        const text = JSON.stringify(policy);
        const before = known.get(`${scope}/${name}`);
        next.set(`${scope}/${name}`, before?.text === text ? before : { text, policy });
      }
    known = next;
    return [...next.values()].map(({ policy }) => policy);
  };
}

/** Makes the loop. */
export function createPolicies(options: PoliciesOptions): PolicyLoop {
  const { guard, board, decisions, clock, logger } = options;
  const book = createPolicyBook(logger);
  const compiler = createPolicyCompiler();
  const enforcer = createEnforcer({ guard, decisions, clock });
  const buildWorld = createWorldBuilder();
  const readLabels = createLabelReader();
  let problem: string | undefined = "the store was not read yet";
  let isKnown = false;
  let isDue = true;
  let wakeLoop: (() => void) | undefined;
  let passes = 0;
  let store: Store | undefined;
  const waiting = new Set<() => void>();

  function wake(): void {
    isDue = true;
    wakeLoop?.();
  }

  const modeOf = (scope: string): PolicyMode => book.scopes.get(scope)?.mode ?? "enforce";

  function listDeclared(): readonly NetworkPolicy[] {
    return [...book.scopes.values()].flatMap(({ policies }) => policies);
  }

  function listActive(): readonly NetworkPolicy[] {
    const all = [...listDeclared(), ...readLabels(options.intents())];
    return all.filter(({ scope }) => modeOf(scope) !== "off");
  }

  function readWorld(): PolicyWorld {
    return buildWorld(board.read().instances, book.scopes, []);
  }

  /** Networks of scopes that policies are enforced in; the engine's default bridge is everybody's, and stays open. */
  function listGated(policies: readonly NetworkPolicy[]): ReadonlyMap<string, string> {
    const { networks, instances } = board.read();
    const scopes = new Set(policies.map(({ scope }) => scope));
    const isEnforced = (scope: string): boolean => scopes.has(scope) && modeOf(scope) === "enforce";
    const used = new Set(
      instances.flatMap(({ scope, endpoints = {} }) =>
        isEnforced(scope) ? Object.keys(endpoints) : [],
      ),
    );
    return new Map(
      networks
        .filter(({ driver, name }) => driver === "bridge" && name !== "bridge")
        .filter(({ name, labels }) => used.has(name) || isEnforced(labels[OWN_LABELS.scope] ?? ""))
        .map(({ name, id }) => [name, `br-${id.slice(0, 12)}`]),
    );
  }

  async function pass(look: boolean): Promise<void> {
    const policies = listActive();
    const compiled = compiler.compile(policies, readWorld());
    const counts = Map.groupBy(policies, ({ scope }) => scope);
    await enforcer.enforce(
      {
        instances: board.read().instances.filter(isGuardable),
        compiled,
        modeOf,
        gated: listGated(policies),
        countPolicies: (scope) => counts.get(scope)?.length ?? 0,
      },
      { look },
    );
  }

  async function follow(from: Store, signal: AbortSignal): Promise<void> {
    const snapshot = await from.list(POLICY_PREFIX, { signal });
    book.clear();
    for (const entry of snapshot.entries) book.take(entry);
    [isKnown, problem] = [true, undefined];
    wake();
    for await (const changes of from.watch(POLICY_PREFIX, snapshot.revision, { signal })) {
      for (const change of changes) book.take(change);
      wake();
    }
  }

  async function keepUp(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        store ??= await options.openStore();
        await follow(store, signal);
      } catch (thrown) {
        if (signal.aborted) return;
        const { message } = FairleadError.from(thrown);
        if (message !== problem) logger.warn("policies cannot be read", { reason: message });
        problem = message;
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
  }

  async function rest(signal: AbortSignal): Promise<boolean> {
    const woken = new AbortController();
    wakeLoop = () => woken.abort();
    if (isDue) woken.abort();
    await clock.sleep(RESYNC_MS, AbortSignal.any([woken.signal, signal])).catch(() => undefined);
    return !woken.signal.aborted;
  }

  /** Resolves after a pass that began later than now. */
  async function settle(): Promise<void> {
    const goal = passes + 2;
    const done = new AbortController();
    const check = (): void => {
      if (passes >= goal) done.abort();
      else wake();
    };
    waiting.add(check);
    wake();
    await clock.sleep(SETTLE_MS, done.signal).catch(() => undefined);
    waiting.delete(check);
  }

  async function write(
    act: "policy.apply" | "policy.remove",
    scopes: ReadonlyMap<string, readonly string[]>,
    by: AskedBy,
    task: (store: Store) => Promise<void>,
  ): Promise<void> {
    const to = store ?? (store = await options.openStore());
    const nowMs = clock.nowMs();
    const begun = await Promise.all(
      [...scopes].map(([scope, names]) =>
        decisions.begin(describePolicyChange(act, scope, names, { actor: by.actor, nowMs }), {
          scope,
          ...by,
        }),
      ),
    );
    const finish = (outcome: "done" | "failed", result: string) =>
      Promise.all(begun.map((decision) => decisions.finish(decision, { outcome, result })));
    try {
      await task(to);
    } catch (thrown) {
      await finish("failed", FairleadError.from(thrown).message);
      throw thrown;
    }
    await finish("done", "kept");
    const snapshot = await to.list(POLICY_PREFIX);
    for (const entry of snapshot.entries) book.take(entry);
    const keys = new Set(snapshot.entries.map(({ key }) => key));
    for (const scope of book.scopes.keys())
      if (!keys.has(POLICY_PREFIX + scope)) book.take({ key: POLICY_PREFIX + scope });
    await settle();
  }

  function list(): readonly PolicyView[] {
    const { instances } = readWorld();
    const view = (policy: NetworkPolicy, origin: PolicyView["origin"]): PolicyView => ({
      policy,
      origin,
      mode: modeOf(policy.scope),
      selects: instances
        .filter(
          ({ scope, labels }) => scope === policy.scope && matchLabels(policy.instances, labels),
        )
        .map(({ name }) => name),
    });
    return [
      ...listDeclared().map((policy) => view(policy, "declared")),
      ...readLabels(options.intents()).map((policy) => view(policy, "label")),
    ].toSorted((a, b) => compare(a.policy, b.policy));
  }

  return {
    list,
    guardNetworks: async () => (listActive().length === 0 ? undefined : settle()),
    get problem() {
      const [broken] = enforcer.problems.values();
      return problem ?? broken;
    },
    async apply(request, by) {
      const names = (scope: string): readonly string[] => {
        const own = request.policies.filter((policy) => policy.scope === scope);
        return own.length > 0
          ? own.map(({ name }) => name)
          : [`mode ${request.modes[scope] ?? modeOf(scope)}`];
      };
      const scopes = new Map(namesOf(request).map((scope) => [scope, names(scope)]));
      await write("policy.apply", scopes, by, (to) => writeRequest(to, request));
      return list().filter(({ policy }) => scopes.has(policy.scope));
    },
    remove: (scope, name, by) =>
      write("policy.remove", new Map([[scope, [name]]]), by, (to) => removePolicy(to, scope, name)),
    can: (request) =>
      answerCan(
        {
          world: readWorld(),
          policies: listActive(),
          modeOf,
          find: (id) => board.read().instances.find((one) => one.id === id),
          guard,
        },
        request,
      ),
    async run(signal) {
      const stop = board.onChange(wake);
      const keeping = keepUp(signal);
      while (!signal.aborted) {
        const look = await rest(signal);
        if (signal.aborted) break;
        isDue = false;
        if (isKnown && board.ready) await pass(look);
        passes += 1;
        for (const check of waiting) check();
      }
      stop();
      await keeping;
    },
  };
}

function compare(a: NetworkPolicy, b: NetworkPolicy): number {
  const [first, second] = [`${a.scope}/${a.name}`, `${b.scope}/${b.name}`];
  return first < second ? -1 : first > second ? 1 : 0;
}
