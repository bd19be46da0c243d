// SPDX-License-Identifier: Apache-2.0
// The pure diff of facts and intent, alone.
import { HEAL_DEFAULT } from "@fairlead/protocol/heal-default.ts";
import { PLACEMENT_DEFAULT } from "@fairlead/protocol/intent.ts";
import type { ReconcileInput } from "#brain/pass.ts";
import { planReconcile } from "#brain/reconcile.ts";
import type { Facts, InstanceFact } from "#model/facts.ts";
import type { Intent, ServiceIntent } from "#model/intent.ts";
import type { Bench } from "./bench.ts";

const REPLICAS = 100;
const SIZES = [1_000, 10_000, 100_000];
const ROUNDS = 9;
const NOW_MS = 1_800_000_000_000;

function buildService(index: number): ServiceIntent {
  const name = `service${index}`;
  return {
    name,
    replicas: REPLICAS,
    container: { Image: "app:1", Env: ["A=1", "B=2"], Labels: { "fairlead.kind": "agent" } },
    network: { kind: "networks", attachments: [{ network: "default" }] },
    volumesFrom: [],
    volumes: [],
    files: [],
    dependsOn:
      index === 0
        ? []
        : [{ service: "service0", condition: "started", restart: false, required: true }],
    restart: { policy: "always" },
    heal: HEAL_DEFAULT,
    update: { order: "auto", parallelism: 1, delayMs: 0, monitorMs: 5_000, onFailure: "pause" },
    stopGraceMs: 10_000,
    pull: "missing",
    constraints: [],
    placement: PLACEMENT_DEFAULT,
    at: { file: "compose.yaml", line: index + 2 },
    origins: {},
    hash: `hash${index}`,
  };
}

/** One in a hundred has ended, one in a hundred is outdated: a diff that finds nothing would measure nothing. */
function buildInstance(service: ServiceIntent, slot: number, serial: number): InstanceFact {
  const ended = serial % 100 === 7;
  return {
    id: `id${serial}`,
    name: `bench-${service.name}-${slot}`,
    scope: "bench",
    service: service.name,
    slot,
    hash: serial % 100 === 11 ? "old" : service.hash,
    oneoff: false,
    image: "app:1",
    imageId: "sha256:1",
    state: ended ? "exited" : "running",
    health: "none",
    exitCode: ended ? 1 : 0,
    oomKilled: false,
    error: "",
    createdAtMs: NOW_MS - 100_000,
    startedAtMs: NOW_MS - 90_000,
    finishedAtMs: ended ? NOW_MS - 1_000 : 0,
    engineRestart: "no",
    networkFrom: undefined,
    pidFrom: undefined,
    ipcFrom: undefined,
    anonymousVolumes: [],
    labels: { "io.fairlead.scope": "bench" },
    addresses: { bench_default: "172.18.0.2" },
    ports: [],
  };
}

function buildInput(size: number): ReconcileInput {
  const services = Array.from({ length: size / REPLICAS }, (_, index) => buildService(index));
  const intent: Intent = {
    scope: "bench",
    services,
    networks: [
      {
        key: "default",
        name: "bench_default",
        external: false,
        options: {},
        internal: false,
        attachable: false,
        enableIpv6: false,
        labels: {},
        hash: "n",
      },
    ],
    volumes: [],
    files: ["compose.yaml"],
    projectDirectory: "/",
    diagnostics: [],
  };
  let serial = 0;
  const instances = services.flatMap((service) =>
    Array.from({ length: REPLICAS }, (_, i) => buildInstance(service, i + 1, serial++)),
  );
  const facts: Facts = {
    asOfMs: NOW_MS,
    engineGap: undefined,
    node: undefined,
    instances,
    networks: [{ id: "n", name: "bench_default", driver: "bridge", labels: {} }],
    volumes: [],
    images: new Map([["app:1", "sha256:1"]]),
  };
  return { intent, facts, memory: new Map(), nowMs: NOW_MS, busy: new Set(), held: new Map() };
}

export const reconcile: Bench = {
  name: "reconcile",
  about: "pure: facts and intent of 1,000 to 100,000 instances compared, without an engine",
  async run({ say, sample }) {
    for (const size of SIZES) {
      const input = buildInput(size);
      for (let round = 0; round < ROUNDS + 2; round++) {
        const beganMs = performance.now();
        const { actions } = planReconcile(input);
        const tookMs = performance.now() - beganMs;
        if (round >= 2)
          sample({ metric: `diff_ms_${size}`, unit: "ms", subject: "fairlead", value: tookMs });
        if (round === 0) say(`${size} instances: ${actions.length} actions decided`);
      }
    }
  },
};
