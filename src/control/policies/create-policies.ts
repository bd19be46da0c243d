// SPDX-License-Identifier: Apache-2.0
// The loop that enforces network policy: what is declared and who there is become tables, and the guard installs them.
// While the store does not answer, what was last known stays in force.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import { createDoorbell } from "#control/doorbell.ts";
import type { Shortcuts } from "#control/shortcuts.ts";
import type { AskedBy } from "#control/topologies.ts";
import { createWideCheck } from "#control/wide-networks.ts";
import type { Guard } from "#guard/guard.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { Intent } from "#model/intent.ts";
import type { PolicyMode, PolicyView, NetworkPolicy } from "#model/policy.ts";
import {
  createPolicyCompiler,
  findTable,
  type CompiledPolicies,
} from "#policy/compile-policies.ts";
import type { PolicyWorld } from "#policy/world.ts";
import type { Store } from "#store/store.ts";
import { createWorldBuilder, isGuardable, listOnHost, listReachable } from "./build-world.ts";
import { answerCan } from "./can.ts";
import { describePolicyChange } from "./describe-policy-turn.ts";
import { judgeEffect, readEffect } from "./effect.ts";
import { createEnforcer, type Look } from "./enforcer.ts";
import { createFlowWatch } from "./flow-watch.ts";
import type { PolicyBoard } from "./foresee-starts.ts";
import { listHeldNetworks } from "./held-networks.ts";
import { createLabelReader } from "./label-reader.ts";
import { createNameDesk, type Asker, type NameDesk } from "./name-desk.ts";
import { HEARD_MS } from "./owner-watch.ts";
import type { Policies } from "./policies.ts";
import { listUnread, namesOf, removePolicy, tellUnread, writeRequest } from "./policy-book.ts";
import type { PolicyShelf } from "./policy-shelf.ts";
import { viewPolicies } from "./view-policies.ts";
import { createHostWatch } from "./watch-host.ts";

export interface PoliciesOptions {
  readonly guard: Guard;
  /** What is declared, and who is on other hosts. */
  readonly shelf: PolicyShelf;
  readonly board: PolicyBoard;
  /** What is wanted of the scopes of this host, for the labels of their services. */
  readonly intents: () => readonly Intent[];
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  readonly clock: Clock;
  /** Ways past the bridges of networks that span hosts: for those that are ready. */
  readonly shortcuts: Pick<Shortcuts, "list" | "onChange" | "settle">;
  /** Addresses of this node's name server; none where it has none. */
  readonly resolvers: readonly string[];
  /** Whether an address is of this host. */
  readonly isOwnAddress: (address: string) => boolean;
  readonly onTrouble?: (scope: string) => void;
}

/** The loop, and what others may ask of it. */
export interface PolicyLoop extends Policies {
  /** Whether any policy is in force. */
  isActive(): boolean;
  /** Resolves when new networks are held where they have to be: before anybody is on them. */
  guardNetworks(): Promise<void>;
  /** Who may ask the node's name server for what. */
  readonly names: NameDesk;
  /** Of which scopes policies cannot be read, and what holds there. */
  readonly unread: string | undefined;
  /** That somebody takes away what stands on the host, though it comes back. */
  readonly disturbed: string | undefined;
  /** Why what shall hold for an instance does not, and has not for a while. */
  problemOf(id: string): string | undefined;
  run(signal: AbortSignal): Promise<void>;
}

/** How soon what failed is tried again. */
const RETRY_MS = 1_000;
/** How often rules are looked at although nothing was told. */
const RESYNC_MS = 10_000;
/** How long a write waits until it is in force here. */
const SETTLE_MS = 5_000;
/** Said until there were as many passes as a write would have waited for. */
const LAGGING =
  "rules are still being made: what was declared last is not in force everywhere here";

/** A desk for which the host's and all instances' addresses are inside. */
function openDesk(
  { guard, clock, isOwnAddress }: PoliciesOptions,
  readWorld: () => PolicyWorld,
): NameDesk {
  return createNameDesk({
    guard,
    clock,
    isOwn: (address) =>
      isOwnAddress(address) ||
      readWorld().instances.some(({ addresses }) => addresses.includes(address)),
  });
}

/** Policies of labels. In a scope of which nothing can be read that is declared, these open nothing. */
function listLabelled(
  { shelf, intents }: PoliciesOptions,
  read: ReturnType<typeof createLabelReader>,
): readonly NetworkPolicy[] {
  return read(intents()).filter(({ scope }) => shelf.unread.get(scope) !== "closed");
}

/** That policies of an instance's scope cannot be read. */
function findUnread({ shelf, board }: PoliciesOptions, id: string): string | undefined {
  if (shelf.unread.size === 0) return undefined;
  const scope = board.read().instances.find((one) => one.id === id)?.scope ?? "";
  const how = shelf.unread.get(scope);
  return how && tellUnread(new Map([[scope, how]]));
}

/** Makes the loop. */
export function createPolicies(options: PoliciesOptions): PolicyLoop {
  const { guard, shelf, board, decisions, shortcuts, clock, onTrouble = () => {} } = options;
  const names = openDesk(options, () => readWorld());
  const [bell, compiler] = [createDoorbell(clock), createPolicyCompiler()];
  const host = createHostWatch({ guard, clock, onLoss: bell.ring });
  const told = { onMade: names.forget, onGate: shortcuts.settle, onRepaired: host.noteRepair };
  const enforcer = createEnforcer({ guard, decisions, clock, onTrouble, ...told });
  const [buildWorld, readLabels] = [createWorldBuilder(), createLabelReader()];
  let [passes, lagGoal] = [0, 0];
  const waiting = new Set<() => void>();
  let tellingProblem: string | undefined;

  const modeOf = (scope: string): PolicyMode => shelf.scopes.get(scope)?.mode ?? "enforce";

  /** Until when scopes are looked at besides, ms since 1970. */
  const watchedUntilMs = new Map<string, number>();

  /** Whether instances are looked at that no policy selects. */
  function observes(scope: string): boolean {
    return modeOf(scope) === "watch" || (watchedUntilMs.get(scope) ?? 0) > clock.nowMs();
  }

  function listDeclared(): readonly NetworkPolicy[] {
    return [...shelf.scopes.values()].flatMap(({ policies }) => policies);
  }

  function listActive(): readonly NetworkPolicy[] {
    const all = [...listDeclared(), ...listLabelled(options, readLabels)];
    return all.filter(({ scope }) => modeOf(scope) !== "off");
  }

  function readWorld(): PolicyWorld {
    const { resolvers } = options;
    const world = buildWorld(board.read().instances, shelf.scopes, shelf.listNeighbours());
    return { ...world, resolvers };
  }

  /** Tells other nodes who is here; returns whom they may still take for another. */
  async function tell({ instances }: PolicyWorld): Promise<ReadonlySet<string>> {
    const { networks, instances: facts } = board.read();
    try {
      const held = await shelf.tell(listReachable(instances, facts, createWideCheck(networks)));
      tellingProblem = undefined;
      return held;
    } catch (thrown) {
      tellingProblem = FairleadError.from(thrown).message;
      return new Set();
    }
  }

  /** Returns whether somebody waits who need not for long. */
  async function pass(look: Look): Promise<boolean> {
    const policies = listActive();
    const world = readWorld();
    const facts = board.read().instances.filter(isGuardable);
    const only = new Set(facts.map(({ id }) => id));
    const compiled = compiler.compile(policies, world, { only });
    names.seat(listAskers(facts, world, compiled));
    const telling = tell(world);
    const held = listHeldNetworks(policies, { ...board.read(), modeOf });
    await enforcer.enforce(
      {
        instances: facts,
        coming: board.listComing(),
        compiled,
        modeOf,
        observes,
        ...held,
        shortcuts: shortcuts.list(),
        countPolicies: (scope) => policies.filter((one) => one.scope === scope).length,
        held: telling,
      },
      { look },
    );
    host.keep(held.gated.size > 0);
    return (await telling).size > 0;
  }

  function listAskers(
    facts: readonly InstanceFact[],
    { instances }: PolicyWorld,
    compiled: CompiledPolicies,
  ): readonly Asker[] {
    const addresses = new Map(instances.map((one) => [one.id, one.addresses]));
    return facts.flatMap(({ id, pid = 0, scope }) => {
      const table = findTable(compiled, id);
      const mode = modeOf(scope);
      if (table.names === undefined || mode === "off") return [];
      return [{ id, pid, addresses: addresses.get(id) ?? [], names: table.names, mode }];
    });
  }

  /** Names that nobody can tell the addresses of. */
  function findUnserved(): string | undefined {
    if (options.resolvers.length > 0) return undefined;
    const policy = listActive().find(({ egress = [] }) =>
      egress.some(({ peers }) => peers.some(({ kind }) => kind === "names")),
    );
    return (
      policy &&
      `fairlead.egress of ${policy.scope}/${policy.name} lets nothing pass: this node has no dns.listen that containers can ask, an address of this host with port 53`
    );
  }

  const flows = createFlowWatch({
    findName: names.findName,
    guard,
    clock,
    world: readWorld,
    policies: listActive,
    guarded: () => {
      const pids = new Map(board.read().instances.map(({ id, pid = 0 }) => [id, pid]));
      return readWorld()
        .instances.filter(({ id }) => enforcer.guarded.has(id))
        .map((instance) => ({ id: instance.id, pid: pids.get(instance.id) ?? 0, instance }));
    },
  });

  /** Resolves after a pass that began later than now; when that takes long, it is said until there was one. */
  async function settle(): Promise<void> {
    const goal = passes + 2;
    const done = new AbortController();
    const check = (): void => {
      if (passes >= goal) done.abort();
      else bell.ring();
    };
    waiting.add(check);
    bell.ring();
    await clock.sleep(SETTLE_MS, done.signal).catch(() => undefined);
    waiting.delete(check);
    if (!done.signal.aborted) lagGoal = goal;
  }

  async function write(
    act: "policy.apply" | "policy.remove",
    scopes: ReadonlyMap<string, readonly string[]>,
    by: AskedBy,
    task: (store: Store) => Promise<void>,
  ): Promise<void> {
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
      await shelf.change(task);
    } catch (thrown) {
      await finish("failed", FairleadError.from(thrown).message);
      throw thrown;
    }
    await finish("done", "kept");
    await settle();
  }

  const list = (): readonly PolicyView[] =>
    viewPolicies({
      declared: [...listDeclared(), ...listUnread(shelf.unread)],
      labels: listLabelled(options, readLabels),
      world: readWorld(),
      facts: board.read(),
      modeOf,
    });

  return {
    list,
    flows,
    names,
    get unread() {
      return tellUnread(shelf.unread);
    },
    get disturbed() {
      return host.told;
    },
    problemOf: (id) => enforcer.lasting.get(id) ?? findUnread(options, id),
    async effect(asked) {
      const request = readEffect(asked, guard);
      const now = clock.nowMs();
      const scopes = new Set(request.policies.map(({ scope }) => scope));
      const news = [...scopes].filter((scope) => !observes(scope));
      const { watchSeconds = 0, sinceMs = 0 } = request;
      if (watchSeconds > 0)
        for (const scope of scopes) watchedUntilMs.set(scope, now + watchSeconds * 1_000);
      if (watchSeconds > 0 && news.length > 0) await settle();
      const seen = await flows.list({ sinceMs });
      return judgeEffect(request, seen, { world: readWorld(), policies: listActive() });
    },
    isActive: () => listActive().length > 0,
    guardNetworks: async () => (listActive().length === 0 ? undefined : settle()),
    get problem() {
      const [first] = enforcer.problems.values();
      const broken = enforcer.problems.get("gate") ?? first;
      const lagging = passes < lagGoal ? LAGGING : undefined;
      return (
        tellUnread(shelf.unread) ??
        shelf.problem ??
        tellingProblem ??
        broken ??
        lagging ??
        findUnserved()
      );
    },
    async apply(request, by) {
      const namesIn = (scope: string): readonly string[] => {
        const own = request.policies.filter((policy) => policy.scope === scope);
        return own.length > 0
          ? own.map(({ name }) => name)
          : [`mode ${request.modes[scope] ?? modeOf(scope)}`];
      };
      const scopes = new Map(namesOf(request).map((scope) => [scope, namesIn(scope)]));
      await write("policy.apply", scopes, by, (to) => writeRequest(to, request));
      return list().filter(({ policy }) => scopes.has(policy.scope));
    },
    remove: (scope, name, by) =>
      write("policy.remove", new Map([[scope, [name]]]), by, (to) => removePolicy(to, scope, name)),
    can: (request) =>
      answerCan(
        {
          world: readWorld(),
          onHost: listOnHost(board.read().instances),
          policies: listActive(),
          modeOf,
          findName: names.findName,
          find: (id) => board.read().instances.find((one) => one.id === id),
          guard,
        },
        request,
      ),
    async run(signal) {
      const stops = [board.onChange(bell.ring), shortcuts.onChange(bell.ring)];
      shelf.onChange(bell.ring);
      const keeping = Promise.all([shelf.run(signal), flows.run(signal)]);
      let lookedMs = clock.monotonicMs();
      let restMs = RESYNC_MS;
      while (!signal.aborted) {
        await bell.wait(restMs, signal);
        if (signal.aborted) break;
        const isDue = clock.monotonicMs() - lookedMs >= RESYNC_MS;
        const isLost = host.takeLoss();
        const look = isDue ? "all" : isLost ? "host" : "nothing";
        const isHeld = shelf.isKnown && board.ready && (await pass(look));
        if (isDue) lookedMs = clock.monotonicMs();
        passes += 1;
        const isAgain = enforcer.problems.size > 0 || passes < lagGoal;
        const untilLookMs = lookedMs + RESYNC_MS - clock.monotonicMs();
        restMs = isHeld ? HEARD_MS : isAgain ? RETRY_MS : Math.max(0, untilLookMs);
        for (const check of waiting) check();
      }
      for (const stop of stops) stop();
      await Promise.all([keeping, host.end()]);
    },
  };
}
