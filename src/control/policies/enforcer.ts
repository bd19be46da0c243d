// SPDX-License-Identifier: Apache-2.0
// One pass: every instance of this host has the rules that policies come to, and what was done is a decision.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { createLimiter } from "#base/limiter.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import type {
  GateResult,
  Guard,
  Guest,
  GuestCalls,
  Place,
  Protection,
  Shortcut,
  Ward,
} from "#guard/guard.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { PolicyMode } from "#model/policy.ts";
import { findTable, type CompiledPolicies } from "#policy/compile-policies.ts";
import { OPEN } from "#policy/verdict-table.ts";
import { describeHostRepair, describePolicyTurn, type PolicyTurn } from "./describe-policy-turn.ts";
import type { HeldNetworks } from "./held-networks.ts";

/** So many namespaces are written at once: each takes processes of its own. */
const WIDTH = 4;
const GATE = "gate";

/** What is wanted on this host. */
export interface Wanted extends HeldNetworks {
  /** Those that run here and have a network of their own. */
  readonly instances: readonly InstanceFact[];
  /** Ids of those that have no port yet. */
  readonly coming: ReadonlySet<string>;
  readonly compiled: CompiledPolicies;
  modeOf(scope: string): PolicyMode;
  /** Whether also instances that no policy selects are looked at, to see whom they talk to. */
  observes(scope: string): boolean;
  /** Names of networks that span hosts, and the ways past their bridges. */
  readonly shortcuts: ReadonlyMap<string, Shortcut>;
  /** Ids of those that may be taken for another still, and have to wait. */
  readonly held: Promise<ReadonlySet<string>>;
  /** How many policies a scope has. */
  countPolicies(scope: string): number;
}

export interface EnforcerOptions {
  /** Told of instances whose rules were made anew. */
  readonly onMade?: (id: string) => void;
  /** Told how instances' packets go. */
  readonly onGate?: (result: Pick<GateResult, "past" | "withheld">) => void;
  /** Told that what somebody had taken away on the host stands again. */
  readonly onRepaired?: () => void;
  /** Told of scopes whose instances stand otherwise than in the pass before. */
  readonly onTrouble?: (scope: string) => void;
  readonly guard: Guard;
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  readonly clock: Clock;
}

/** What is looked at although it seems to be as wanted: what stands on the host alone, or inside of instances too. */
export type Look = "nothing" | "host" | "all";

/** Makes rules as wanted. */
export interface Enforcer {
  /** What fails is in `problems`, and tried again in the next pass. */
  enforce(wanted: Wanted, options: { readonly look: Look }): Promise<void>;
  /** Ids of instances that have rules. */
  readonly guarded: { has(id: string): boolean };
  /** By id of the instance, or of `gate`, why rules are not as wanted. */
  readonly problems: ReadonlyMap<string, string>;
  /** By id of the instance, what was wrong in this pass and in the one before: of what passes by itself nothing is said. */
  readonly lasting: ReadonlyMap<string, string>;
}

interface Done {
  readonly instance: InstanceFact;
  readonly act: PolicyTurn["act"];
  readonly mode: "watch" | "enforce";
}

function isSame(a: Ward | undefined, b: Ward): boolean {
  return (
    a?.pid === b.pid &&
    a.mode === b.mode &&
    a.asItself === b.asItself &&
    a.table.ingress === b.table.ingress &&
    a.table.egress === b.table.egress &&
    a.table.names?.join(" ") === b.table.names?.join(" ")
  );
}

/** What is held at an instance's ports besides. */
function listCalls(ward: Ward | undefined): { readonly calls?: GuestCalls } {
  if (ward?.mode !== "enforce" || ward.table.egress === undefined) return {};
  const { egress, names } = ward.table;
  return { calls: { egress, ...(names === undefined ? {} : { names }) } };
}

const ACTS: Readonly<Record<Exclude<Protection, "unchanged">, PolicyTurn["act"]>> = {
  installed: "policy.enforce",
  drifted: "policy.repair",
};

/** An enforcer that does not know what an earlier life has left, and looks at it in its first pass. */
export function createEnforcer(options: EnforcerOptions): Enforcer {
  const { guard, decisions, clock, onMade, onGate, onRepaired, onTrouble } = options;
  const wards = new Map<string, Ward>();
  const problems = new Map<string, string>();
  /** By id, who is ready and let through by nobody. Said until the next gate stands. */
  let refused: ReadonlyMap<string, string> = new Map();
  let lasting: ReadonlyMap<string, string> = new Map();
  /** Instances whose rules, if any, were made by this life, or looked at. */
  const seen = new Set<string>();
  const limiter = createLimiter(WIDTH);

  async function release(place: Place): Promise<boolean> {
    const wasWard = wards.has(place.id);
    if (!wasWard && seen.has(place.id)) return false;
    const released = await guard.release(place);
    wards.delete(place.id);
    seen.add(place.id);
    return released;
  }

  /** What shall stand inside of an instance; undefined for nothing. */
  function chooseWard(instance: InstanceFact, wanted: Wanted): Ward | undefined {
    const { id, pid = 0, scope, endpoints = {} } = instance;
    const mode = wanted.modeOf(scope);
    const table = findTable(wanted.compiled, id);
    const isOpen = table.ingress === undefined && table.egress === undefined;
    const asItself = Object.keys(endpoints).some((network) => wanted.bare.has(network));
    if (mode !== "off" && !isOpen) return { id, pid, mode, table, asItself };
    if (mode !== "off" && wanted.observes(scope))
      return { id, pid, mode: "watch", table, asItself };
    return asItself ? { id, pid, mode: "enforce", table: OPEN, asItself } : undefined;
  }

  async function settle(
    instance: InstanceFact,
    wanted: Wanted,
    look: boolean,
  ): Promise<Done | undefined> {
    const ward = chooseWard(instance, wanted);
    if (ward === undefined) {
      const place = { id: instance.id, pid: instance.pid ?? 0 };
      const act = "policy.release";
      return (await release(place)) ? { instance, act, mode: "enforce" } : undefined;
    }
    if (!look && isSame(wards.get(instance.id), ward)) return undefined;
    const protection = await guard.protect(ward);
    wards.set(instance.id, ward);
    if (protection === "drifted") onMade?.(instance.id);
    seen.add(instance.id);
    return protection === "unchanged"
      ? undefined
      : { instance, act: ACTS[protection], mode: ward.mode };
  }

  async function attempt(
    instance: InstanceFact,
    wanted: Wanted,
    look: boolean,
  ): Promise<Done | undefined> {
    try {
      const done = await settle(instance, wanted, look);
      problems.delete(instance.id);
      return done;
    } catch (thrown) {
      // What it has now is not known: the next pass looks, also at one that is only to be let go.
      wards.delete(instance.id);
      seen.delete(instance.id);
      problems.set(instance.id, FairleadError.from(thrown).message);
      return undefined;
    }
  }

  /** All who are on bridges where not everything passes. */
  function listGuests({ instances, coming, gated, shortcuts }: Wanted): readonly Guest[] {
    return instances.flatMap(({ id, pid = 0, endpoints = {} }) => {
      if (coming.has(id)) return [];
      const ports = Object.entries(endpoints).flatMap(([network, { mac, addresses }]) => {
        const bridge = gated.get(network) ?? shortcuts.get(network)?.bridge;
        return bridge === undefined ? [] : [{ bridge, mac, addresses }];
      });
      return ports.length > 0 ? [{ id, pid, ports, ...listCalls(wards.get(id)) }] : [];
    });
  }

  /** Says that what stands on the host for all of its networks was somebody else's doing. */
  async function recordRepair({ gated }: Wanted): Promise<void> {
    onRepaired?.();
    const networks = [...gated.keys()].toSorted();
    const action = describeHostRepair(networks, clock.nowMs());
    const decision = await decisions.begin(action, { scope: "", actor: "automatic" });
    await decisions.finish(decision, { outcome: "done", result: `${networks.length} networks` });
  }

  /** Lets those through whose rules are in. */
  async function holdGate(wanted: Wanted, look: boolean): Promise<void> {
    const { gated, held, shortcuts } = wanted;
    const waiting = await held;
    const ready = listGuests(wanted).filter(({ id }) => !problems.has(id) && !waiting.has(id));
    try {
      const bridges = [...gated.values()].toSorted();
      const ways = [...shortcuts.values()].toSorted((a, b) => (a.bridge < b.bridge ? -1 : 1));
      const result = await guard.gate({ bridges, ready, shortcuts: ways, look });
      refused = result.refused;
      onGate?.(result);
      problems.delete(GATE);
      if (result.protection === "drifted") await recordRepair(wanted);
    } catch (thrown) {
      const { message } = FairleadError.from(thrown);
      problems.set(GATE, message);
      onGate?.({ past: new Map(), withheld: message });
    }
  }

  const listProblems = (): ReadonlyMap<string, string> => new Map([...refused, ...problems]);

  /** Notes what was wrong before, too; what is wrong with the gate concerns whoever is behind it. */
  function note(before: ReadonlySet<string>, { instances, gated }: Wanted): void {
    const now = listProblems();
    const gate = before.has(GATE) ? now.get(GATE) : undefined;
    const next = new Map<string, string>();
    for (const { id, endpoints = {} } of instances) {
      const own = before.has(id) ? now.get(id) : undefined;
      const isBehind = Object.keys(endpoints).some((network) => gated.has(network));
      const why = own ?? (isBehind ? gate : undefined);
      if (why !== undefined) next.set(id, why);
    }
    const changed = instances.filter(({ id }) => lasting.get(id) !== next.get(id));
    lasting = next;
    for (const scope of new Set(changed.map(({ scope }) => scope))) onTrouble?.(scope);
  }

  async function record(done: readonly Done[], wanted: Wanted): Promise<void> {
    const groups = Map.groupBy(
      done,
      ({ instance, act, mode }) => `${instance.scope} ${act} ${mode}`,
    );
    for (const group of groups.values()) {
      const [first] = group;
      if (first === undefined) continue;
      const { scope } = first.instance;
      const action = describePolicyTurn({
        scope,
        act: first.act,
        mode: first.mode,
        instances: group.map(({ instance }) => instance.name),
        policies: wanted.countPolicies(scope),
        nowMs: clock.nowMs(),
      });
      const decision = await decisions.begin(action, { scope, actor: "automatic" });
      await decisions.finish(decision, { outcome: "done", result: `${group.length} instances` });
    }
  }

  return {
    get problems() {
      return listProblems();
    },
    get lasting() {
      return lasting;
    },
    guarded: wards,
    async enforce(wanted, { look }) {
      const before = new Set(listProblems().keys());
      const ids = new Set(wanted.instances.map(({ id }) => id));
      for (const known of [wards, problems, seen])
        for (const id of known.keys()) if (!ids.has(id) && id !== GATE) known.delete(id);
      const isNews = wanted.instances.some(({ id }) => !seen.has(id) && !wanted.coming.has(id));
      const guests = isNews ? listGuests(wanted) : [];
      if (guests.length > 0) guard.foresee?.(guests);
      const results = await Promise.all(
        wanted.instances.map((instance) =>
          limiter.run(() => attempt(instance, wanted, look === "all")),
        ),
      );
      await holdGate(wanted, look !== "nothing");
      note(before, wanted);
      await record(
        results.filter((one): one is Done => one !== undefined),
        wanted,
      );
    },
  };
}
