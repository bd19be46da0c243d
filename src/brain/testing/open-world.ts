// SPDX-License-Identifier: Apache-2.0
// Random inputs that can be brought about: dependencies that come, networks nobody holds, healing that is allowed.
import fc from "fast-check";
import type { ReconcileInput } from "#brain/pass.ts";
import { OWN_LABELS, type InstanceFact } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";
import type { ServiceMemory } from "#model/memory.ts";
import {
  buildDependency,
  buildInput,
  buildInstance,
  buildIntent,
  buildFacts,
  buildMemory,
  buildService,
  buildUnfinished,
  HEALTHCHECK,
  NOW_MS,
  SCOPE,
} from "./builders.ts";

const NAMES = ["db", "cache", "api", "web"];
const REPLICAS_MAX = 4;

const update = fc.record({
  order: fc.constantFrom("auto", "start-first", "stop-first"),
  parallelism: fc.integer({ min: 0, max: 2 }),
  delayMs: fc.constantFrom(0, 3_000),
  monitorMs: fc.constantFrom(0, 5_000),
  onFailure: fc.constantFrom("pause", "continue", "rollback"),
} as const);

function service(index: number): fc.Arbitrary<ServiceIntent> {
  const name = NAMES[index] ?? "web";
  return fc
    .record({
      replicas: fc.integer({ min: 1, max: REPLICAS_MAX }),
      on: fc.subarray(NAMES.slice(0, index)),
      restarts: fc.boolean(),
      update,
      checked: fc.boolean(),
      volumes: fc.constantFrom<string[]>([], ["data"]),
    })
    .map(({ replicas, on, restarts, update: pace, checked, volumes }) =>
      buildService({
        name,
        replicas,
        update: pace,
        volumes,
        dependsOn: on.map((other) => buildDependency(other, { restart: restarts })),
        container: { Image: "app:1", ...(checked ? { Healthcheck: HEALTHCHECK } : {}) },
      }),
    );
}

interface Sketch {
  readonly index: number;
  readonly slot: number;
  readonly state: "running" | "exited" | "created";
  readonly hash: "v0" | "v1";
  readonly agoMs: number;
  readonly finished: boolean;
}

const sketch: fc.Arbitrary<Sketch> = fc.record({
  index: fc.nat(NAMES.length - 1),
  slot: fc.integer({ min: 1, max: REPLICAS_MAX + 1 }),
  state: fc.constantFrom("running", "running", "exited", "created"),
  hash: fc.constantFrom("v0", "v0", "v1"),
  agoMs: fc.integer({ min: 20_000, max: 200_000 }),
  finished: fc.constantFrom(true, true, true, true, false),
});

function draw(one: Sketch, serial: number): InstanceFact {
  const name = NAMES[one.index] ?? "web";
  const ended = one.state === "exited";
  return (one.finished ? buildInstance : buildUnfinished)({
    id: `id${String(serial).padStart(3, "0")}`,
    name: `${SCOPE}-${name}-${one.slot}-${serial}`,
    service: name,
    slot: one.slot,
    hash: `${name}-${one.hash}`,
    state: one.state,
    exitCode: ended ? 1 : 0,
    createdAtMs: NOW_MS - one.agoMs,
    startedAtMs: one.state === "created" ? 0 : NOW_MS - one.agoMs + 1,
    finishedAtMs: ended ? NOW_MS - one.agoMs + 15_000 : 0,
  });
}

function drawMemory(one: ServiceIntent): [string, ServiceMemory] {
  return [one.name, buildMemory({ previous: { ...one, hash: `${one.name}-v0` } })];
}

/** Any pair of facts and intent of which the loop can make what is wanted. */
export const anyOpenInput: fc.Arbitrary<ReconcileInput> = fc
  .record({
    services: fc.tuple(...NAMES.map((_, index) => service(index))),
    sketches: fc.array(sketch, { maxLength: 12 }),
    network: fc.boolean(),
    volume: fc.boolean(),
  })
  .map(({ services, sketches, network, volume }) => {
    const name = `${SCOPE}_data`;
    const labels = { [OWN_LABELS.scope]: SCOPE, [OWN_LABELS.key]: "data" };
    const facts = buildFacts(sketches.map(draw), volume ? { volumes: [{ name, labels }] } : {});
    return buildInput(services, [], {
      intent: buildIntent(services, {
        volumes: [{ key: "data", name, external: false, options: {}, labels: {}, hash: "data-v1" }],
      }),
      facts: network ? facts : { ...facts, networks: [] },
      memories: Object.fromEntries(services.map(drawMemory)),
    });
  });
