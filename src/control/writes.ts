// SPDX-License-Identifier: Apache-2.0
// Operations that change what is wanted. They write to the store only; the loops act on it.
import type { FleetIntent } from "@fairlead/protocol/assignment.ts";
import type { PlannedStep } from "@fairlead/protocol/decision.ts";
import type {
  ActionRequest,
  ApplyRequest,
  DownRequest,
  ScaleRequest,
} from "@fairlead/protocol/requests.ts";
import { hashValue } from "#base/canonical-json.ts";
import { FairleadError } from "#base/errors.ts";
import { createId } from "#base/ids.ts";
import type { ReconcileInput } from "#brain/pass.ts";
import { planPause, rememberPause, type PauseRequest } from "#brain/pause.ts";
import { hashIntent, makePlan, makePlanOf, makeRemovalPlan } from "#brain/plan.ts";
import { makeRequest } from "#brain/request.ts";
import type { Plan } from "#model/decision.ts";
import { makeEmptyIntent } from "#model/empty-intent.ts";
import type { Intent } from "#model/intent.ts";
import { EMPTY_SERVICE_MEMORY, type ServiceMemory } from "#model/memory.ts";
import { ENGINE_PATIENCE_MS } from "./await-views.ts";
import { controlErrors } from "./errors.ts";
import type { FleetDesk, Rehearsal } from "./fleet/fleet-desk.ts";
import { hideInFacts } from "./hide.ts";
import { failLookup } from "./lookup.ts";
import type { OperationsOptions } from "./operations-options.ts";
import type { Caller, Operations } from "./operations.ts";
import { askAnew, type Asked, type ScopeLoop } from "./scope-loop.ts";
import { hasVolumes } from "./scope-volumes.ts";

type Writes = Pick<Operations, "plan" | "apply" | "scale" | "down" | "act">;

/** Refuses an intent whose parts do not fit together; the schema has checked each part. */
function checkIntent(intent: Intent): void {
  const names = new Set(intent.services.map((service) => service.name));
  if (names.size !== intent.services.length) {
    throw new FairleadError(controlErrors["intent-mismatch"], "two services have the same name");
  }
  const networks = new Set(intent.networks.map((network) => network.key));
  for (const service of intent.services) {
    const used = service.network.kind === "networks" ? service.network.attachments : [];
    const lost = used.find((attachment) => !networks.has(attachment.network));
    if (lost !== undefined) {
      throw new FairleadError(
        controlErrors["intent-mismatch"],
        `service ${service.name} uses network ${lost.network}, which is not declared`,
      );
    }
    if (service.slots !== undefined) {
      throw new FairleadError(
        controlErrors["intent-mismatch"],
        `service ${service.name} names slots, which nodes of a fleet alone do`,
      );
    }
    if (service.fixedName !== undefined && service.replicas > 1) {
      throw new FairleadError(
        controlErrors["intent-mismatch"],
        `service ${service.name} has a container_name and ${service.replicas} replicas`,
      );
    }
  }
}

/** Makes the writing operations. */
export function createWrites(options: OperationsOptions): Writes {
  const { board, supervisor, memory, decisions, clock, random, intake, fleet } = options;

  async function needEngine(): Promise<void> {
    await board.settle(ENGINE_PATIENCE_MS);
    if (board.ready) return;
    throw new FairleadError(
      controlErrors["engine-away"],
      board.problem ?? "the engine does not answer",
      {
        facts: { endpoint: options.engine.endpoint },
      },
    );
  }

  function inputFor(
    intent: Intent,
    change?: (service: string, memory: ServiceMemory) => ServiceMemory,
  ): ReconcileInput {
    const changed = new Map(memory.read(intent.scope));
    if (change !== undefined)
      for (const name of new Set([...changed.keys(), ...intent.services.map((one) => one.name)]))
        changed.set(name, change(name, changed.get(name) ?? EMPTY_SERVICE_MEMORY));
    return {
      intent,
      facts: hideInFacts(board.read(), intent),
      memory: changed,
      nowMs: clock.nowMs(),
      busy: new Set(),
      held: new Map(),
    };
  }

  const planId = (): string => createId("pl", clock.nowMs(), random);

  function planHere(intent: Intent, recreateAtMs?: number): Plan {
    return makePlan(inputFor(intent, intake.refresh(intent, recreateAtMs)), planId());
  }

  async function planFor(intent: Intent, recreateAtMs?: number): Promise<Plan> {
    if (fleet === undefined) return planHere(intent, recreateAtMs);
    await fleet.settle();
    const { here, ...rest } = fleet.rehearse({ intent, origin: fleet.self, actor: "plan" });
    const own =
      here === undefined
        ? makePlanOf(inputFor(intent), [], planId())
        : planHere(here, recreateAtMs);
    return widenPlan(own, intent, rest);
  }

  function refuseRemoving(scope: string): void {
    const wanted = fleet?.wanted(scope);
    const removal = wanted === undefined ? supervisor.loop(scope)?.desired.removal : wanted.removal;
    if (removal === undefined || ("because" in removal && wanted === undefined)) return;
    throw new FairleadError(controlErrors["scope-conflict"], `scope ${scope} is being removed`);
  }

  /** What is not known cannot be changed a little. */
  function refuseUnread(scope: string): void {
    if (fleet?.unread().includes(scope) === true)
      throw new FairleadError(
        controlErrors["intent-unread"],
        `what the fleet wants of ${scope} cannot be read here`,
      );
  }

  function checkPlan(given: Plan, now: Plan): void {
    if (
      given.scope === now.scope &&
      given.basis === now.basis &&
      given.intentHash === now.intentHash
    )
      return;
    throw new FairleadError(controlErrors["plan-out-of-date"], `plan ${given.id} no longer holds`, {
      facts: {
        "planned steps": given.steps.length,
        "steps now": now.steps.length,
        files: given.intentHash === now.intentHash ? "unchanged" : "changed",
      },
    });
  }

  async function waitForLoop(scope: string, hash: string): Promise<void> {
    const isThere = (): boolean => {
      const desired = supervisor.loop(scope)?.desired;
      return desired !== undefined && hashIntent(desired.intent) === hash;
    };
    for (let tries = 0; tries < 200 && !isThere(); tries++) await clock.sleep(5);
  }

  return {
    async plan(intent) {
      await needEngine();
      checkIntent(intent);
      refuseRemoving(intent.scope);
      await board.refreshImages();
      return planFor(intent);
    },
    async apply(request, caller: Caller) {
      await needEngine();
      // A tag that was moved a moment ago must not be missed for an event that is still on its way.
      await board.refreshImages();
      return want(request, caller);
    },
    async scale(scope, request, caller) {
      await needEngine();
      refuseUnread(scope);
      const known = fleet?.wanted(scope);
      const intent =
        known?.intent ??
        supervisor.loop(scope)?.desired.intent ??
        failLookup(scope, [...(fleet?.names() ?? []), ...supervisor.loops.keys()]);
      const scaled = withReplicas(intent, request.replicas);
      return want({ ...request, intent: scaled }, caller, known?.origin);
    },
    async down(scope, request, caller) {
      refuseUnread(scope);
      const volumes = request.volumes === true;
      const wanted = fleet?.wanted(scope) ?? (volumes ? findLeftInFleet(scope) : undefined);
      if (fleet !== undefined && wanted !== undefined)
        return downFleet(fleet, wanted, request, caller);
      await needEngine();
      const intent =
        supervisor.loop(scope)?.desired.intent ??
        (volumes ? findLeft(scope) : undefined) ??
        failLookup(scope, supervisor.loops.keys());
      const removal = { volumes };
      const plan = makeRemovalPlan(inputFor(intent), removal, planId());
      if (request.dryRun === true) return plan;
      await intake.put({ intent, removal, ...toAsked(request, caller, plan) });
      await waitForLoop(scope, plan.intentHash);
      return plan;
    },
    async act(scope, request, caller) {
      const loop = supervisor.loop(scope) ?? failLookup(scope, supervisor.loops.keys());
      refuseRemoving(scope);
      const names = chooseServices(loop.desired.intent, request);
      const plan =
        request.action === "restart"
          ? await restart(loop, names, request)
          : await setPause(loop, names, request, caller);
      if (request.dryRun === true) return plan;
      // What is done during a pause is done for who asked before.
      if (request.action === "pause") loop.wake();
      else loop.setDesired(askAnew(loop.desired, toAsked(request, caller, plan)));
      return plan;
    },
  };

  /** `origin`: the node that has what the files name, where that is another. */
  async function want(
    request: ApplyRequest & Pick<ScaleRequest, "dryRun">,
    caller: Caller,
    origin?: string,
  ): Promise<Plan> {
    const { intent } = request;
    checkIntent(intent);
    refuseRemoving(intent.scope);
    const recreateAtMs = request.recreate === true ? clock.nowMs() : undefined;
    const plan = await planFor(intent, recreateAtMs);
    if (request.plan !== undefined) checkPlan(request.plan, plan);
    if (request.dryRun === true) return plan;
    const asked = toAsked(request, caller, plan);
    if (fleet !== undefined) {
      const again = recreateAtMs === undefined ? {} : { recreateAtMs };
      await fleet.ask({ intent, origin: origin ?? fleet.self, ...again, ...asked });
      return plan;
    }
    const desired = { intent, removal: undefined, ...asked };
    await intake.take(desired, recreateAtMs);
    await waitForLoop(intent.scope, plan.intentHash);
    return plan;
  }

  /** A scope that is down and has volumes here all the same. */
  function findLeft(scope: string): Intent | undefined {
    return hasVolumes(board, scope) === true ? makeEmptyIntent(scope) : undefined;
  }

  /** The same on any node of the fleet. One that this node has by itself is none of the fleet's. */
  function findLeftInFleet(scope: string): FleetIntent | undefined {
    if (fleet === undefined || supervisor.loop(scope) !== undefined) return undefined;
    if (fleet.volumesOf(scope).length === 0) return undefined;
    return { intent: makeEmptyIntent(scope), origin: fleet.self, actor: "down" };
  }

  /** Nothing is wanted on any node; each removes what it has. */
  async function downFleet(
    desk: FleetDesk,
    wanted: FleetIntent,
    request: DownRequest,
    caller: Caller,
  ): Promise<Plan> {
    await desk.settle();
    const removal = { volumes: request.volumes === true };
    const { intent } = wanted;
    const none: Intent = { ...intent, services: [] };
    const { elsewhere } = desk.rehearse({ ...wanted, intent: none });
    const here = makeRemovalPlan(inputFor(intent), removal, planId());
    const warnings = desk.away().map((node) => `${node} is away: ${tellLater(removal.volumes)}`);
    const data = removal.volumes ? planVolumesElsewhere(desk, intent.scope) : [];
    const plan = widenPlan(here, intent, { elsewhere: [...elsewhere, ...data], warnings });
    if (request.dryRun === true) return plan;
    const { origin } = wanted;
    await desk.ask({ intent, origin, removal, ...toAsked(request, caller, plan) });
    return plan;
  }

  async function restart(
    loop: ScopeLoop,
    names: readonly string[],
    request: ActionRequest,
  ): Promise<Plan> {
    await needEngine();
    const { intent } = loop.desired;
    const input = inputFor(intent);
    const changes = new Map(names.map((name) => [name, askRestart(input, name)]));
    const withAll = new Map(input.memory);
    for (const [name, change] of changes)
      withAll.set(name, change(withAll.get(name) ?? EMPTY_SERVICE_MEMORY));
    const plan = makePlan({ ...input, memory: withAll }, planId());
    if (request.dryRun === true) return plan;
    await decisions.write(
      [...changes].map(([name, change]) => memory.update(intent.scope, name, change)),
    );
    return plan;
  }

  /** Nothing of the engine changes, so nothing is asked of it; each service gets a decision all the same. */
  async function setPause(
    loop: ScopeLoop,
    names: readonly string[],
    request: Exclude<ActionRequest, { action: "restart" }>,
    caller: Caller,
  ): Promise<Plan> {
    const { intent } = loop.desired;
    const input = inputFor(intent);
    const pause: PauseRequest =
      request.action === "resume"
        ? { kind: "resume" }
        : { kind: "pause", ...(request.forMs === undefined ? {} : { forMs: request.forMs }) };
    const actions = planPause(input, names, pause);
    const plan = makePlanOf(input, actions, planId());
    if (request.dryRun === true) return plan;
    const context = { scope: intent.scope, ...toAsked(request, caller, plan) };
    const change = rememberPause(pause, input.nowMs);
    for (const action of actions) {
      const also = memory.update(intent.scope, action.service ?? action.object, change);
      const decision = await decisions.begin(action, context, [also]);
      await decisions.finish(decision, { outcome: "done", result: action.rule.text });
    }
    return plan;
  }
}

function tellLater(volumes: boolean): string {
  return `what it has of it${volumes ? ", volumes too," : ""} is removed when it is back`;
}

/** What goes on other nodes with a scope that is to go with its volumes. */
function planVolumesElsewhere(desk: FleetDesk, scope: string): readonly PlannedStep[] {
  return desk.volumesOf(scope).flatMap(({ node, nodeName, volume }): PlannedStep[] => {
    if (node === desk.self) return [];
    const title = `removed volume ${volume} on ${nodeName}`;
    return [{ act: "volume.remove", object: volume, title, because: "down was asked for" }];
  });
}

/** A plan of this node with what other nodes will do. */
function widenPlan(
  own: Plan,
  intent: Intent,
  { elsewhere, warnings }: Omit<Rehearsal, "here">,
): Plan {
  const intentHash = hashIntent(intent);
  if (elsewhere.length === 0 && warnings.length === 0) return { ...own, intentHash };
  return {
    ...own,
    intentHash,
    basis: hashValue([own.basis, elsewhere]),
    steps: [...own.steps, ...elsewhere],
    warnings: [...own.warnings, ...warnings],
  };
}

/** The same with other numbers of instances. Throws FL0701 `no-such-object`. */
function withReplicas(intent: Intent, replicas: Readonly<Record<string, number>>): Intent {
  const names = intent.services.map((service) => service.name);
  for (const name of Object.keys(replicas)) if (!names.includes(name)) failLookup(name, names);
  const services = intent.services.map((service) => ({
    ...service,
    replicas: replicas[service.name] ?? service.replicas,
  }));
  return { ...intent, services };
}

function chooseServices(intent: Intent, request: ActionRequest): string[] {
  const all = intent.services.map((service) => service.name);
  for (const name of request.services) if (!all.includes(name)) failLookup(name, all);
  return request.services.length === 0 ? all : [...request.services];
}

function askRestart(
  { intent, facts, nowMs }: ReconcileInput,
  service: string,
): (memory: ServiceMemory) => ServiceMemory {
  const restartRequested = makeRequest(intent.scope, service, facts.instances, nowMs);
  return ({ resting: _resting, ...memory }) => ({ ...memory, slots: {}, restartRequested });
}

function toAsked(request: { reason?: string | undefined }, { actor }: Caller, plan: Plan): Asked {
  return {
    actor,
    plan: plan.id,
    ...(request.reason === undefined ? {} : { reason: request.reason }),
  };
}
