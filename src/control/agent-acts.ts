// SPDX-License-Identifier: Apache-2.0
// What agents may ask of the engine: to see the containers of their scope, and to start and stop their own. Asking writes
// what is wanted into the memory of the service; the loop acts on it, with a decision, as for everybody else.
import type { ActOnContainerRequest, ContainerView } from "@fairlead/protocol/fabric.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import { addRequest } from "#brain/request.ts";
import type { AgentActs, AgentCaller } from "#fabric/fabric.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { ServiceMemory } from "#model/memory.ts";
import type { DecisionLog } from "./decision-log.ts";
import { controlErrors } from "./errors.ts";
import type { FactsBoard } from "./facts-board.ts";
import { failLookup } from "./lookup.ts";
import type { MemoryBoard } from "./memory-board.ts";
import { askAnew } from "./scope-loop.ts";
import type { Supervisor } from "./supervisor.ts";

export interface AgentActsOptions {
  readonly board: FactsBoard;
  readonly supervisor: Supervisor;
  readonly memory: MemoryBoard;
  readonly decisions: DecisionLog;
  readonly clock: Clock;
}

const OWNER_LABEL = "fairlead.owner";
/** Labels that are the tools' own. */
const HIDDEN = ["fairlead.", "io.fairlead.", "com.docker.compose."];

type Act = ActOnContainerRequest["act"];

function isOwn(instance: InstanceFact, { name }: AgentCaller): boolean {
  return instance.service === name || instance.labels[OWNER_LABEL] === name;
}

function toView(instance: InstanceFact, caller: AgentCaller): ContainerView {
  const { id, name, service, slot, image, state, health, exitCode, startedAtMs } = instance;
  const labels = Object.entries(instance.labels).filter(
    ([label]) => !HIDDEN.some((prefix) => label.startsWith(prefix)),
  );
  return {
    id,
    name,
    service,
    slot,
    image,
    state,
    health,
    exitCode,
    startedAtMs,
    own: isOwn(instance, caller),
    labels: Object.fromEntries(labels),
  };
}

function isNamed(instance: InstanceFact, word: string): boolean {
  return (
    instance.name === word ||
    `${instance.service}-${instance.slot}` === word ||
    (word.length >= 4 && /^[0-9a-f]+$/.test(word) && instance.id.startsWith(word))
  );
}

/** What is remembered once the agent has asked. */
function changeFor(
  act: Act,
  instance: InstanceFact,
  by: string,
  nowMs: number,
): (memory: ServiceMemory) => ServiceMemory {
  const slot = String(instance.slot);
  if (act === "stop")
    return (memory) => ({ ...memory, resting: { ...memory.resting, [slot]: { atMs: nowMs, by } } });
  return ({ resting = {}, ...memory }) => {
    const { [slot]: _awake, ...others } = resting;
    const idle = act === "start" && instance.state === "running";
    return {
      ...memory,
      resting: others,
      ...(idle
        ? {}
        : { restartRequested: addRequest(memory.restartRequested, instance, by, nowMs) }),
    };
  };
}

/** Whether what was asked for has come about. */
function isDone(act: Act, before: InstanceFact, now: InstanceFact): boolean {
  if (act === "stop") return now.state !== "running" && now.state !== "paused";
  if (act === "start" && before.state === "running") return true;
  return now.startedAtMs !== before.startedAtMs;
}

/** Makes what the fabric asks on behalf of agents. */
export function createAgentActs(options: AgentActsOptions): AgentActs {
  const { board, supervisor, memory, decisions, clock } = options;

  function listScope(scope: string): readonly InstanceFact[] {
    if (board.ready)
      return board.read().instances.filter((one) => one.scope === scope && !one.oneoff);
    const because = board.problem ?? "the engine has not been read yet";
    throw new FairleadError(controlErrors["engine-away"], because);
  }

  function find(scope: string, word: string): InstanceFact {
    const all = listScope(scope);
    const found = all.find((one) => isNamed(one, word));
    return (
      found ??
      failLookup(
        word,
        all.map(({ name }) => name),
      )
    );
  }

  /** Resolves with the container once it is as asked. Rejects with the signal's reason. */
  function awaitDone(act: Act, before: InstanceFact, signal: AbortSignal): Promise<InstanceFact> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        leave();
        signal.removeEventListener("abort", onAbort);
      };
      const look = (): void => {
        const now = board.find(before.id);
        if (now !== undefined && !isDone(act, before, now)) return;
        end();
        if (now !== undefined) resolve(now);
        else reject(new FairleadError(controlErrors["act-failed"], `${before.name} has gone`));
      };
      const onAbort = (): void => {
        end();
        reject(signal.reason as Error);
      };
      const leave = board.onChange(look);
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
      else look();
    });
  }

  return {
    list(caller, { service, own, labels = {} }) {
      return listScope(caller.scope)
        .filter((one) => service === undefined || one.service === service)
        .filter((one) => own !== true || isOwn(one, caller))
        .filter((one) =>
          Object.entries(labels).every(([label, value]) =>
            value === "" ? one.labels[label] !== undefined : one.labels[label] === value,
          ),
        )
        .map((one) => toView(one, caller));
    },
    async act(caller, { act, container }, signal) {
      const instance = find(caller.scope, container);
      if (!isOwn(instance, caller)) {
        throw new FairleadError(
          controlErrors["not-own"],
          `${instance.name} is not a container of ${caller.name}`,
          { facts: { service: instance.service } },
        );
      }
      const loop = supervisor.loop(caller.scope);
      if (loop === undefined || loop.desired.removal !== undefined) {
        throw new FairleadError(
          controlErrors["scope-conflict"],
          `scope ${caller.scope} is ${loop === undefined ? "not managed" : "being removed"}`,
        );
      }
      const by = `agent ${caller.scope}/${caller.name}`;
      const change = changeFor(act, instance, by, clock.nowMs());
      await decisions.write([memory.update(caller.scope, instance.service, change)]);
      const { plan } = loop.desired;
      loop.setDesired(
        askAnew(loop.desired, { actor: by, ...(plan === undefined ? {} : { plan }) }),
      );
      return toView(await awaitDone(act, instance, signal), caller);
    },
  };
}
