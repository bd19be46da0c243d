// SPDX-License-Identifier: Apache-2.0
// Stories in text: commands build a world and run the loop in it, the output is what was decided and why.
import { parseDuration } from "#base/duration.ts";
import type { ReconcileInput } from "#brain/pass.ts";
import { makePlan } from "#brain/plan.ts";
import { planReap } from "#brain/reap.ts";
import { planReconcile } from "#brain/reconcile.ts";
import { planRemoval } from "#brain/removal.ts";
import { makeRequest } from "#brain/request.ts";
import { applyActions } from "#brain/simulate.ts";
import type { PlannedAction, Reconciliation } from "#model/action.ts";
import { OWN_LABELS, type InstanceFact } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";
import { EMPTY_SERVICE_MEMORY, type RenewalRequest, type ServiceMemory } from "#model/memory.ts";
import {
  buildFacts,
  buildInput,
  buildInstance,
  buildUnfinished,
  NOW_MS,
  SCOPE,
} from "./builders.ts";
import { readService, readWords, type Words } from "./story-words.ts";

const ROUNDS_MAX = 200;

interface Session {
  input: ReconcileInput;
  serial: number;
  /** `web web-v2`: what ends with code 1 a moment after each start. */
  readonly broken: Set<string>;
}

function edit(session: Session, change: (one: InstanceFact) => InstanceFact | undefined): void {
  const { input } = session;
  const instances = input.facts.instances.flatMap((one) => change(one) ?? []);
  session.input = { ...input, facts: { ...input.facts, instances } };
}

function editOne(
  session: Session,
  name: string,
  change: (one: InstanceFact) => InstanceFact | undefined,
): string {
  if (!session.input.facts.instances.some((one) => one.name === name))
    throw new Error(`there is no ${name}`);
  edit(session, (one) => (one.name === name ? change(one) : one));
  return "";
}

function remember(session: Session, name: string, parts: Partial<ServiceMemory>): string {
  const { input } = session;
  const before = input.memory.get(name) ?? EMPTY_SERVICE_MEMORY;
  const memory = new Map([...input.memory, [name, { ...before, ...parts }] as const]);
  session.input = { ...input, memory };
  return "";
}

function requestFor({ input }: Session, name: string): RenewalRequest {
  return makeRequest(input.intent.scope, name, input.facts.instances, input.nowMs);
}

/** As `up` does it: failures are forgiven, what ran before is kept to go back to. */
function setService(session: Session, service: ServiceIntent): string {
  const { input } = session;
  const before = input.intent.services.find((one) => one.name === service.name);
  const others = input.intent.services.filter((one) => one.name !== service.name);
  const services =
    before === undefined
      ? [...others, service]
      : input.intent.services.map((one) => (one === before ? service : one));
  session.input = { ...input, intent: { ...input.intent, services } };
  if (before === undefined || before.hash === service.hash) return "";
  const { rolloutFailed: _failed, ...memory } =
    input.memory.get(service.name) ?? EMPTY_SERVICE_MEMORY;
  const kept = new Map([
    ...session.input.memory,
    [service.name, { ...memory, slots: {}, previous: before }] as const,
  ]);
  session.input = { ...session.input, memory: kept };
  return "";
}

function addInstance(session: Session, words: Words): string {
  const [place = "web/1", state = "running"] = words.plain;
  const [service = "web", slot = "1"] = place.split("/");
  const nowMs = session.input.nowMs;
  const agoMs = parseDuration(words.named.get("ago") ?? "1m");
  const found = words.flags.has("found");
  const holder = words.named.get("from");
  const parts: Partial<InstanceFact> = {
    service,
    slot: Number(slot),
    state: state as InstanceFact["state"],
    ...(found ? { hash: undefined } : { hash: `${service}-${words.named.get("hash") ?? "v1"}` }),
    ...(words.named.has("name") ? { name: words.named.get("name") ?? "" } : {}),
    health: (words.named.get("health") ?? "none") as InstanceFact["health"],
    createdAtMs: nowMs - agoMs,
    startedAtMs: state === "created" ? 0 : nowMs - agoMs,
    ...(state === "exited" || state === "dead" ? { finishedAtMs: nowMs } : {}),
    exitCode: Number(words.named.get("code") ?? "0"),
    ...(holder === undefined ? {} : { networkFrom: `id-${holder}` }),
    oneoff: words.flags.has("oneoff"),
    ...(words.flags.has("anonymous")
      ? { anonymousVolumes: [{ name: "v1", target: "/data" }] }
      : {}),
    ...(words.named.has("scope") ? { scope: words.named.get("scope") ?? "" } : {}),
  };
  const made = words.flags.has("unfinished") ? buildUnfinished(parts) : buildInstance(parts);
  const labels = [...words.named].filter(([key]) => key.startsWith("fairlead."));
  const instance = { ...made, labels: { ...made.labels, ...Object.fromEntries(labels) } };
  const { facts } = session.input;
  const instances = [...facts.instances, instance];
  session.input = { ...session.input, facts: { ...facts, instances } };
  return "";
}

function describeAction(action: PlannedAction): string {
  const budget = action.budget === undefined ? "" : ` ${action.budget.used}/${action.budget.max}`;
  return `${action.act} ${action.object}${budget}: ${action.trigger.detail}`;
}

function describePass(session: Session, result: Reconciliation): string[] {
  const { nowMs } = session.input;
  const acts = result.actions.map(describeAction);
  const waits = result.waiting.map((wait) => {
    const who = wait.slot === undefined ? wait.service : `${wait.service}/${wait.slot}`;
    const until = wait.untilMs === undefined ? "" : ` (${(wait.untilMs - nowMs) / 1_000}s)`;
    return `  ${wait.kind} ${who}: ${wait.reason}${until}`;
  });
  return [...acts, ...waits];
}

function step(session: Session, actions: readonly PlannedAction[]): void {
  const nowMs = session.input.nowMs + 1;
  const world = applyActions({ ...session.input, nowMs }, actions, session.serial);
  session.serial = world.serial;
  session.input = { ...session.input, facts: world.facts, memory: world.memory, nowMs };
  edit(session, (one) =>
    session.broken.has(`${one.service} ${one.hash ?? ""}`) && one.startedAtMs === nowMs
      ? { ...one, state: "exited", health: "none", exitCode: 1, finishedAtMs: nowMs }
      : one,
  );
}

type Plan = (input: ReconcileInput) => Reconciliation;

/** Runs the loop to its end, or for a time; prints each act with the time since the story began. */
function run(session: Session, plan: Plan, forMs: number): string {
  const lines: string[] = [];
  const endMs = session.input.nowMs + forMs;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const result = plan(session.input);
    const at = `${((session.input.nowMs - NOW_MS) / 1_000).toFixed(3)}s`;
    if (result.actions.length > 0) {
      lines.push(...result.actions.map((action) => `${at} ${describeAction(action)}`));
      step(session, result.actions);
    } else if (result.wakeAtMs === undefined || result.wakeAtMs > endMs) {
      if (Number.isFinite(endMs)) session.input = { ...session.input, nowMs: endMs };
      return [...lines, ...describePass(session, plan(session.input))].join("\n");
    } else session.input = { ...session.input, nowMs: result.wakeAtMs };
  }
  return [...lines, "…"].join("\n");
}

function reap(session: Session): string {
  const { facts, nowMs } = session.input;
  const { instances } = facts;
  const services = new Set(session.input.intent.services.map((service) => service.name));
  const managed = new Map([[SCOPE, services]]);
  const none = { busy: new Set<string>(), held: new Map() };
  const result = planReap({ instances, managed, nowMs, ...none });
  const wake =
    result.wakeAtMs === undefined ? [] : [`  again in ${(result.wakeAtMs - nowMs) / 1_000}s`];
  const observed = result.observed.map((action) => `  would ${describeAction(action)}`);
  return [...result.actions.map(describeAction), ...observed, ...wake].join("\n");
}

function changeNetwork(session: Session, labels: Record<string, string> | undefined): string {
  const name = `${SCOPE}_default`;
  const network = { id: "net-default", name, driver: "bridge", labels: labels ?? {} };
  const networks = labels === undefined ? [] : [network];
  session.input = { ...session.input, facts: { ...session.input.facts, networks } };
  return "";
}

function end(one: InstanceFact, nowMs: number, code: number, oomKilled: boolean): InstanceFact {
  return {
    ...one,
    state: "exited",
    health: "none",
    exitCode: code,
    oomKilled,
    finishedAtMs: nowMs,
  };
}

const COMMANDS: Readonly<Record<string, (session: Session, words: Words) => string>> = {
  service: (session, words) => setService(session, readService(words)),
  drop(session, { plain: [name] }) {
    const services = session.input.intent.services.filter((one) => one.name !== name);
    session.input = { ...session.input, intent: { ...session.input.intent, services } };
    return "";
  },
  instance: addInstance,
  pass: (session) => describePass(session, planReconcile(session.input)).join("\n"),
  run: (session, words) =>
    run(
      session,
      planReconcile,
      words.plain[0] === undefined ? Infinity : parseDuration(words.plain[0]),
    ),
  down: (session, words) =>
    run(session, (input) => planRemoval(input, { volumes: words.flags.has("volumes") }), Infinity),
  plan: (session) =>
    makePlan(session.input, "pl_1")
      .steps.map((one) => `${one.act} ${one.object}: ${one.because}`)
      .join("\n"),
  reap,
  later(session, { plain: [time = "1s"] }) {
    session.input = { ...session.input, nowMs: session.input.nowMs + parseDuration(time) };
    return "";
  },
  exit: (session, words) =>
    editOne(session, words.plain[0] ?? "", (one) =>
      end(one, session.input.nowMs, Number(words.plain[1] ?? "1"), words.flags.has("oom")),
    ),
  health: (session, { plain: [name = "", health = "healthy"] }) =>
    editOne(session, name, (one) => ({ ...one, health: health as InstanceFact["health"] })),
  vanish: (session, { plain: [name = ""] }) => editOne(session, name, () => undefined),
  break(session, { plain: [service = "", hash = ""] }) {
    session.broken.add(`${service} ${service}-${hash}`);
    return "";
  },
  mend(session) {
    session.broken.clear();
    return "";
  },
  pause: (session, { plain: [name = ""] }) =>
    remember(session, name, { pausedUntilMs: Number.MAX_SAFE_INTEGER }),
  resume: (session, { plain: [name = ""] }) => remember(session, name, { pausedUntilMs: 0 }),
  restart: (session, { plain: [name = ""] }) =>
    remember(session, name, { slots: {}, restartRequested: requestFor(session, name) }),
  recreate: (session, { plain: [name = ""] }) =>
    remember(session, name, { slots: {}, recreateRequested: requestFor(session, name) }),
  stopped(session, { plain: [name = ""] }) {
    const one = session.input.facts.instances.find((instance) => instance.name === name);
    if (one === undefined) throw new Error(`there is no ${name}`);
    const { nowMs } = session.input;
    remember(session, one.service, { stoppedByHand: { [one.id]: nowMs } });
    return editOne(session, name, () => end(one, nowMs, 143, false));
  },
  engine(session, { plain: [what] }) {
    if (what !== "restart") throw new Error(`engine ${what}?`);
    const { nowMs } = session.input;
    const engineGap = { fromMs: nowMs - 2_000, toMs: nowMs };
    const facts = { ...session.input.facts, engineGap };
    session.input = { ...session.input, facts };
    edit(session, (one) => (one.state === "running" ? end(one, nowMs - 1_500, 137, false) : one));
    return "";
  },
  network(session, { plain: [what] }) {
    if (what === "missing") return changeNetwork(session, undefined);
    if (what === "compose") return changeNetwork(session, {});
    const scope = what === "others" ? "elsewhere" : SCOPE;
    const key = { [OWN_LABELS.key]: "default", [OWN_LABELS.hash]: "default-v0" };
    return changeNetwork(session, { [OWN_LABELS.scope]: scope, ...key });
  },
  noimages(session) {
    session.input = { ...session.input, facts: { ...session.input.facts, images: new Map() } };
    return "";
  },
};

/** Starts a story: the returned function carries out one command line and returns what it prints. */
export function startStory(): (line: string) => string {
  const session: Session = {
    input: { ...buildInput([], []), facts: buildFacts([]) },
    serial: 0,
    broken: new Set(),
  };
  return (line) => {
    const words = readWords(line);
    const [name = "", ...plain] = words.plain;
    const command = COMMANDS[name];
    if (command === undefined) throw new Error(`a story has no command ${name}`);
    return command(session, { ...words, plain });
  };
}
