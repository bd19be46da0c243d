// SPDX-License-Identifier: Apache-2.0
// Carries out what brain decided. It decides nothing: it makes the engine's calls in the order that is safe to be cut
// off at any point, since the next pass starts from whatever is there.
import type { Clock } from "#base/clock.ts";
import { formatDuration } from "#base/duration.ts";
import { nameInstance } from "#brain/naming.ts";
import { isUnfinished } from "#brain/pass.ts";
import type { PlannedAction } from "#model/action.ts";
import type { ActionKind } from "#model/decision.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { Intent, Mount, ServiceIntent } from "#model/intent.ts";
import { need, type Act, type ActResult } from "./act.ts";
import { keepAnonymousVolumes, makeCreateRequest } from "./create-request.ts";
import type { Places } from "./identity/places.ts";
import { createResourceActs, type ResourceActsOptions } from "./resource-acts.ts";

export interface ActorOptions extends ResourceActsOptions {
  readonly clock: Clock;
  /** What containers see of this node; undefined where the engine is on another host. */
  readonly places?: Pick<Places, "grant" | "prepare"> | undefined;
  /** Directory of the guarded Docker API of a service, undefined when it says nothing of one. */
  readonly grantDocker?: (scope: string, service: ServiceIntent) => Promise<string | undefined>;
  /** Name servers that containers are told to ask, unless their file names others. */
  readonly dnsServers?: readonly string[];
  /** Takes an instance from behind its service's address until disposed of, before it is stopped; undefined without one. */
  readonly withdraw?: (instance: InstanceFact) => Promise<Disposable | undefined>;
}

export interface Actor {
  /**
   * Does it and brings the board up to date. Throws FairleadError; the board is up to date then too. What takes long says
   * how far it is.
   */
  perform(
    action: PlannedAction,
    intent: Intent,
    decision: string,
    onProgress?: (text: string) => void,
  ): Promise<ActResult>;
}

const STOP_GRACE_DEFAULT_MS = 10_000;

/** What only people and agents do to each other; the engine has no part in it. */
type Said = Extract<ActionKind, `user.${string}` | `rights.${string}`>;
const isSaid = (kind: ActionKind): kind is Said => /^(user|rights)\./.test(kind);

/** Makes the hands of the loop. */
export function createActor(options: ActorOptions): Actor {
  const { engine, board, clock } = options;
  const { changeNetwork, changeVolume, pull, fetch } = createResourceActs(options);

  /** The slot's own name, or a passing one while another container has it. */
  function nameFor(act: Act, service: ServiceIntent): string {
    const canonical = nameInstance(act.intent.scope, service, act.action.slot ?? 1);
    const taken = board.find(canonical) !== undefined;
    return taken ? `${canonical}-${service.hash.slice(0, 6)}` : canonical;
  }

  async function create(act: Act, service: ServiceIntent, keep: readonly Mount[]): Promise<string> {
    const slot = act.action.slot ?? 1;
    const canonical = nameInstance(act.intent.scope, service, slot);
    const name = nameFor(act, service);
    const access = await options.places?.grant(act.intent.scope, service);
    const dockerDirectory = await options.grantDocker?.(act.intent.scope, service);
    const place = {
      board,
      dockerDirectory,
      intent: act.intent,
      slot,
      access,
      ...(options.dnsServers === undefined ? {} : { dnsServers: options.dnsServers }),
    };
    const request = makeCreateRequest(place, service, name, canonical, keep);
    return engine.createInstance(request, act.write);
  }

  async function stop(act: Act, instance: InstanceFact, graceMs: number): Promise<void> {
    if (
      instance.state !== "running" &&
      instance.state !== "restarting" &&
      instance.state !== "paused"
    )
      return;
    await whileWithdrawn(instance, () =>
      engine.stopInstance(instance.id, { ...act.write, graceMs }),
    );
  }

  /** Nothing new comes to the instance meanwhile, nor after it while the board takes it for what it was. */
  async function whileWithdrawn(
    instance: InstanceFact | undefined,
    task: () => Promise<void>,
  ): Promise<void> {
    using withdrawn = instance === undefined ? undefined : await options.withdraw?.(instance);
    try {
      await task();
    } finally {
      if (withdrawn !== undefined && instance !== undefined) await board.refresh(instance.id);
    }
  }

  function graceOf(act: Act): number {
    return act.action.spec?.stopGraceMs ?? STOP_GRACE_DEFAULT_MS;
  }

  /** What a container that the intent no longer has was given to stop. */
  async function readGrace(id: string): Promise<number> {
    const config = (await engine.inspectRaw(id))?.["Config"] as
      | { StopTimeout?: unknown }
      | undefined;
    const seconds = config?.StopTimeout;
    return typeof seconds === "number" ? seconds * 1_000 : STOP_GRACE_DEFAULT_MS;
  }

  async function createHushed(
    act: Act,
    service: ServiceIntent,
    keep: readonly Mount[],
  ): Promise<string> {
    using _hush = board.hush(nameFor(act, service));
    const id = await create(act, service, keep);
    try {
      await engine.startInstance(id, act.write);
    } catch (error) {
      await board.refresh(id);
      throw error;
    }
    return id;
  }

  async function createAndStart(act: Act): Promise<ActResult> {
    const service = need(act.action.spec, "a configuration");
    const beganMs = clock.monotonicMs();
    const { target } = act.action;
    const old = target === undefined ? undefined : await engine.inspectInstance(target);
    const id = await createHushed(act, service, keepAnonymousVolumes(old, service));
    await board.refresh(id);
    return {
      result: `running after ${formatDuration(clock.monotonicMs() - beganMs)}`,
      containerId: id,
    };
  }

  async function start(act: Act): Promise<ActResult> {
    const id = need(act.action.target, "a container");
    const beganMs = clock.monotonicMs();
    await options.places?.prepare(id);
    try {
      await engine.startInstance(id, act.write);
    } finally {
      await board.refresh(id);
    }
    return {
      result: `running after ${formatDuration(clock.monotonicMs() - beganMs)}`,
      containerId: id,
    };
  }

  async function restart(act: Act): Promise<ActResult> {
    const id = need(act.action.target, "a container");
    const beganMs = clock.monotonicMs();
    await options.places?.prepare(id);
    try {
      await whileWithdrawn(board.find(id), () =>
        engine.restartInstance(id, { ...act.write, graceMs: graceOf(act) }),
      );
    } finally {
      await board.refresh(id);
    }
    return {
      result: `running after ${formatDuration(clock.monotonicMs() - beganMs)}`,
      containerId: id,
    };
  }

  /** The new one is made before the old one stops, so that a configuration the engine refuses costs nothing. */
  async function replace(act: Act): Promise<ActResult> {
    const service = need(act.action.spec, "a configuration");
    const beganMs = clock.monotonicMs();
    const old = await engine.inspectInstance(need(act.action.target, "a container"));
    const id =
      act.action.successor ?? (await create(act, service, keepAnonymousVolumes(old, service)));
    try {
      if (old !== undefined) await stop(act, old, graceOf(act));
      await startOrRestore(act, id, old);
      if (old !== undefined)
        await engine.removeInstance(old.id, { ...act.write, force: true, anonymousVolumes: false });
      if (old !== undefined) await board.refresh(old.id);
      await takeName(act, id, service);
    } finally {
      if (old !== undefined) await board.refresh(old.id);
      await board.refresh(id);
    }
    return {
      result: `running after ${formatDuration(clock.monotonicMs() - beganMs)}`,
      containerId: id,
    };
  }

  async function startOrRestore(
    act: Act,
    id: string,
    old: InstanceFact | undefined,
  ): Promise<void> {
    try {
      await options.places?.prepare(id);
      await engine.startInstance(id, act.write);
    } catch (error) {
      await engine.removeInstance(id, { ...act.write, force: true, anonymousVolumes: false });
      if (old?.state === "running") await engine.startInstance(old.id, act.write);
      throw error;
    }
  }

  async function takeName(act: Act, id: string, service: ServiceIntent): Promise<void> {
    const name = nameInstance(act.intent.scope, service, act.action.slot ?? 1);
    const now = await engine.inspectInstance(id);
    if (now === undefined || now.name === name || board.find(name) !== undefined) return;
    await engine.renameInstance(id, name, act.write);
  }

  async function stopOnly(act: Act): Promise<ActResult> {
    const id = need(act.action.target, "a container");
    try {
      await whileWithdrawn(board.find(id), () =>
        engine.stopInstance(id, { ...act.write, graceMs: graceOf(act) }),
      );
    } finally {
      await board.refresh(id);
    }
    return { result: "stopped", containerId: id };
  }

  async function remove(act: Act): Promise<ActResult> {
    const id = need(act.action.target, "a container");
    const { successor, spec, leaves = [] } = act.action;
    try {
      const old = await engine.inspectInstance(id);
      if (old !== undefined) await stop(act, old, spec?.stopGraceMs ?? (await readGrace(id)));
      // One that was never finished has put nothing into its own.
      const anonymousVolumes = old !== undefined && isUnfinished(old);
      await engine.removeInstance(id, { ...act.write, force: true, anonymousVolumes });
      // The next pass looks for them.
      if (leaves.length > 0) await board.refreshVolumes();
    } finally {
      await board.refresh(id);
    }
    if (successor === undefined || spec === undefined) return { result: "removed" };
    await takeName(act, successor, spec);
    await board.refresh(successor);
    return { result: "removed", containerId: successor };
  }

  async function rename(act: Act): Promise<ActResult> {
    const id = need(act.action.target, "a container");
    await engine.renameInstance(id, act.action.object, act.write);
    await board.refresh(id);
    return { result: `is ${act.action.object} now`, containerId: id };
  }

  function choose(act: Act): Promise<ActResult> {
    const { act: kind } = act.action;
    if (isSaid(kind)) return Promise.resolve({ result: "noted" });
    switch (kind) {
      case "instance.create":
        return createAndStart(act);
      case "instance.start":
        return start(act);
      case "instance.restart":
        return restart(act);
      case "instance.replace":
        return replace(act);
      case "instance.stop":
        return stopOnly(act);
      case "instance.remove":
      case "instance.reap":
      case "service.rollback":
      case "service.pauseRollout":
        return remove(act);
      case "instance.rename":
        return rename(act);
      case "network.create":
      case "network.remove":
        return changeNetwork(act);
      case "volume.create":
      case "volume.remove":
        return changeVolume(act);
      case "image.pull":
        return pull(act);
      case "image.fetch":
        return fetch(act);
      case "image.build":
      case "instance.adopt":
      case "service.quarantine":
      case "service.pause":
      case "service.resume":
      case "address.give":
      case "address.take":
      case "address.repair":
      case "topology.rewire":
      case "topology.remove":
      case "service.place":
      case "agent.offline":
      case "agent.docker":
      case "node.gone":
      case "node.back":
      case "node.join":
      case "node.leave":
      case "node.remove":
      case "node.cordon":
      case "node.uncordon":
      case "node.drain":
      case "token.create":
      case "token.revoke":
      case "identity.change":
      case "network.join":
      case "network.leave":
      case "network.repair":
      case "policy.apply":
      case "policy.remove":
      case "policy.enforce":
      case "policy.repair":
      case "policy.release":
      case "network.encrypt":
      case "network.rotate":
        return Promise.resolve({ result: "noted" });
    }
  }

  return {
    perform: (action, intent, decision, onProgress) =>
      choose({ action, intent, write: { decision }, onProgress }),
  };
}
