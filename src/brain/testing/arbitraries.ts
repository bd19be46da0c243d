// SPDX-License-Identifier: Apache-2.0
// Random facts and intents for property tests.
import fc from "fast-check";
import type { ReconcileInput } from "#brain/pass.ts";
import { makeRequest } from "#brain/request.ts";
import { OWN_LABELS, type InstanceFact, type NetworkFact } from "#model/facts.ts";
import type { Dependency, ServiceIntent } from "#model/intent.ts";
import type { ServiceMemory } from "#model/memory.ts";
import {
  buildFacts,
  buildInstance,
  buildIntent,
  buildMemory,
  buildNetwork,
  buildService,
  HEALTHCHECK,
  NOW_MS,
  SCOPE,
} from "./builders.ts";

const NAMES = ["db", "cache", "job", "web", "worker"];
const OLD_HASH = "v0";

const dependency = (names: readonly string[]): fc.Arbitrary<Dependency[]> =>
  names.length === 0
    ? fc.constant([])
    : fc.uniqueArray(
        fc.record({
          service: fc.constantFrom(...names),
          condition: fc.constantFrom("started", "healthy", "completed"),
          restart: fc.boolean(),
          required: fc.boolean(),
        }),
        { maxLength: 2, selector: (one) => one.service },
      );

const update = fc.record({
  order: fc.constantFrom("auto", "start-first", "stop-first"),
  parallelism: fc.integer({ min: 0, max: 2 }),
  delayMs: fc.constantFrom(0, 0, 3_000),
  monitorMs: fc.constantFrom(0, 5_000),
  onFailure: fc.constantFrom("pause", "continue", "rollback"),
} as const);

const restart = fc.record(
  {
    policy: fc.constantFrom("default", "no", "on-failure", "always", "unless-stopped"),
    attemptsMax: fc.constantFrom(1, 4),
    delayMs: fc.constantFrom(0, 2_000),
  },
  { requiredKeys: ["policy"] },
);

const heal = fc.record({
  ladder: fc.constantFrom("restart", "restart", "replace", "alert", "off"),
  actsMax: fc.integer({ min: 1, max: 5 }),
  windowMs: fc.constantFrom(30_000, 600_000),
} as const);

/** A service that may hang on those before it, so that there are no circles. */
function service(index: number): fc.Arbitrary<ServiceIntent> {
  const name = NAMES[index] ?? "web";
  const before = NAMES.slice(0, index);
  return fc
    .record({
      replicas: fc.integer({ min: 0, max: 3 }),
      dependsOn: dependency(before),
      update,
      restart,
      heal,
      checked: fc.boolean(),
      bound: fc.boolean(),
      sharing: fc.option(fc.constantFrom(...(before.length > 0 ? before : ["none"])), {
        nil: undefined,
        freq: 4,
      }),
      Image: fc.constantFrom("app:1", "app:2", "app:missing"),
    })
    .map(({ checked, bound, sharing, Image, ...parts }) =>
      buildService({
        ...parts,
        name,
        container: {
          Image,
          ...(checked ? { Healthcheck: HEALTHCHECK } : {}),
          ...(bound ? { HostConfig: { PortBindings: { "80/tcp": [{ HostPort: "8080" }] } } } : {}),
        },
        ...(sharing === undefined || sharing === "none"
          ? {}
          : { network: { kind: "service" as const, service: sharing } }),
      }),
    );
}

const state = fc.constantFrom<InstanceFact["state"]>(
  "running",
  "running",
  "running",
  "exited",
  "created",
  "dead",
  "paused",
);
const agoMs = fc.integer({ min: 1, max: 200_000 });

interface Sketch {
  readonly name: string;
  readonly slot: number;
  readonly state: InstanceFact["state"];
  readonly health: InstanceFact["health"];
  readonly exitCode: number;
  readonly oomKilled: boolean;
  readonly owner: "own" | "found" | "other" | "oneoff";
  readonly current: boolean;
  readonly finished: boolean;
  readonly times: readonly number[];
}

const sketch: fc.Arbitrary<Sketch> = fc.record({
  name: fc.constantFrom(...NAMES, "gone"),
  slot: fc.integer({ min: 1, max: 4 }),
  state,
  health: fc.constantFrom("none", "healthy", "unhealthy", "starting"),
  exitCode: fc.constantFrom(0, 1, 137),
  oomKilled: fc.boolean(),
  owner: fc.constantFrom("own", "own", "own", "found", "other", "oneoff"),
  current: fc.boolean(),
  finished: fc.constantFrom(true, true, true, true, false),
  times: fc.uniqueArray(agoMs, { minLength: 3, maxLength: 3 }),
});

/** A container as an engine would show it: names are taken once, times are in order, health only while running. */
function draw(one: Sketch, index: number, taken: Set<string>): InstanceFact {
  const scope = one.owner === "other" ? "elsewhere" : SCOPE;
  const settled = `${scope}-${one.name}-${one.slot}`;
  const name = taken.has(settled) ? `${settled}-${index}` : settled;
  taken.add(name);
  const [created = 3, started = 2, finished = 1] = [...one.times].sort((a, b) => b - a);
  const ran = one.state !== "created";
  const ended = one.state === "exited" || one.state === "dead";
  const hash = one.owner === "found" ? undefined : one.current ? `${one.name}-v1` : OLD_HASH;
  const health = one.state === "running" && one.health !== "starting" ? one.health : "none";
  // Whatever state a hand has brought it to.
  const half = !one.finished && one.owner === "own";
  return buildInstance({
    ...(half ? { labels: { [OWN_LABELS.scope]: scope, [OWN_LABELS.madeAs]: name } } : {}),
    id: `id${String(index).padStart(3, "0")}`,
    name,
    scope,
    service: one.name,
    slot: one.slot,
    hash,
    oneoff: one.owner === "oneoff",
    state: one.state,
    health,
    exitCode: ended ? one.exitCode : 0,
    oomKilled: ended && one.oomKilled,
    createdAtMs: NOW_MS - created,
    startedAtMs: ran ? NOW_MS - started : 0,
    finishedAtMs: ended ? NOW_MS - finished : 0,
  });
}

const memory = (name: string, instances: readonly InstanceFact[]): fc.Arbitrary<ServiceMemory> => {
  const ids = instances.map((instance) => instance.id);
  const request = fc.constantFrom(
    undefined,
    undefined,
    makeRequest(SCOPE, name, instances, NOW_MS - 1_000),
  );
  return fc
    .record({
      paused: fc.constantFrom(0, 0, 0, NOW_MS + 5_000),
      acts: fc.array(agoMs, { maxLength: 5 }),
      consecutive: fc.integer({ min: 0, max: 5 }),
      restart: request,
      recreate: request,
      stopped: fc.subarray([...ids]),
      failed: fc.constantFrom(false, false, true),
      back: fc.boolean(),
    })
    .map((m) =>
      buildMemory({
        ...(m.paused === 0 ? {} : { pausedUntilMs: m.paused }),
        ...(m.restart === undefined ? {} : { restartRequested: m.restart }),
        ...(m.recreate === undefined ? {} : { recreateRequested: m.recreate }),
        stoppedByHand: Object.fromEntries(m.stopped.map((id) => [id, NOW_MS])),
        slots: {
          "1": {
            acts: m.acts.map((ago) => NOW_MS - ago).sort((a, b) => a - b),
            consecutive: m.consecutive,
          },
        },
        ...(m.failed
          ? { rolloutFailed: { hash: `${name}-v1`, atMs: NOW_MS, reason: "it did not come up" } }
          : {}),
        ...(m.back ? { previous: buildService({ name, hash: OLD_HASH }) } : {}),
      }),
    );
};

const network = fc.constantFrom<"right" | "missing" | "changed" | "found" | "others">(
  "right",
  "right",
  "missing",
  "changed",
  "found",
  "others",
);

function drawNetworks(kind: "right" | "missing" | "changed" | "found" | "others"): NetworkFact[] {
  if (kind === "missing") return [];
  const labels: Record<string, string> =
    kind === "found"
      ? {}
      : {
          [OWN_LABELS.scope]: kind === "others" ? "elsewhere" : SCOPE,
          [OWN_LABELS.key]: "default",
          [OWN_LABELS.hash]: kind === "right" ? "default-v1" : "default-v0",
        };
  return [{ id: "net-default", name: `${SCOPE}_default`, driver: "bridge", labels }];
}

/** Any pair of facts and intent, and what is remembered. */
export const anyInput: fc.Arbitrary<ReconcileInput> = fc
  .record({
    services: fc
      .tuple(...NAMES.map((_, index) => fc.option(service(index), { nil: undefined })))
      .map((list) => list.filter((one) => one !== undefined)),
    sketches: fc.array(sketch, { maxLength: 10 }),
    network,
    gap: fc.boolean(),
  })
  .chain(({ services, sketches, network: kind, gap }) => {
    const taken = new Set<string>();
    const instances = sketches.map((one, index) => draw(one, index, taken));
    const there = new Set(services.map((one) => one.name));
    const whole = services.map((one) =>
      one.network.kind === "service" && !there.has(one.network.service)
        ? { ...one, network: buildService().network }
        : one,
    );
    const facts = buildFacts(instances, {
      networks: drawNetworks(kind),
      node: undefined,
      engineGap: gap ? { fromMs: NOW_MS - 30_000, toMs: NOW_MS - 20_000 } : undefined,
    });
    const intent = buildIntent(whole, { networks: [buildNetwork()] });
    const some = NAMES.map((name) =>
      fc.option(memory(name, instances), { nil: undefined, freq: 1 }),
    );
    return fc.tuple(...some).map((memories) => ({
      intent,
      facts,
      memory: new Map(
        NAMES.flatMap((name, index): [string, ServiceMemory][] => {
          const known = memories[index];
          return known === undefined ? [] : [[name, known]];
        }),
      ),
      nowMs: NOW_MS,
      busy: new Set<string>(),
      held: new Map(),
    }));
  });
