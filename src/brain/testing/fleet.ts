// SPDX-License-Identifier: Apache-2.0
// Fleets for tests: everything has a plain default, a test names what it is about.
import type { ScopeReport } from "@fairlead/protocol/assignment.ts";
import type { FleetNode, FleetScope } from "#brain/fleet/picture.ts";
import type { Intent } from "#model/intent.ts";
import { buildService, SCOPE } from "./builders.ts";

/** What a test says of a node. */
export interface NodeParts extends Partial<Omit<FleetNode, "offer">> {
  readonly id: string;
  /** It has not said what it has. */
  readonly silent?: boolean;
  readonly devices?: Readonly<Record<string, number>>;
  /** Scope to its volumes there. */
  readonly volumes?: Record<string, string[]>;
}

/** A node that is up and takes what comes. */
export function buildNode({ silent = false, devices = {}, ...parts }: NodeParts): FleetNode {
  const offer = {
    hostName: parts.id,
    os: "linux",
    arch: "x86_64",
    labels: {},
    devices: { ...devices },
    engineLabels: {},
    cpuMillis: 4_000,
    memoryBytes: 8_000,
    heldPorts: [],
    volumes: parts.volumes ?? {},
  };
  return {
    name: `node-${parts.id}`,
    standing: "up",
    schedulable: true,
    draining: false,
    upMs: 3_600_000,
    awayMs: 0,
    ailingMs: 0,
    ...parts,
    offer: silent ? undefined : offer,
  };
}

/** A scope that was just wanted. */
export function buildScope(intent: Intent, parts: Partial<FleetScope> = {}): FleetScope {
  return {
    wanted: { intent, origin: "a", actor: "test" },
    generation: 7,
    lostMs: undefined,
    assignment: undefined,
    assignedAt: 0,
    reports: new Map(),
    ...parts,
  };
}

/** What a node says that runs some slots of a service well. */
export function buildReport(
  service: string,
  slots: readonly number[],
  generation = 7,
  health: "none" | "starting" | "healthy" = "none",
): ScopeReport {
  const { container } = buildService();
  const instances = slots.map((slot) => ({
    id: `id-${slot}`,
    name: `${SCOPE}-${service}-${slot}`,
    scope: SCOPE,
    service,
    slot,
    image: container.Image,
    state: "running",
    health,
    oomKilled: false,
    createdAtMs: 1,
    startedAtMs: 1,
    ports: [],
    addresses: {},
    current: true,
    adopted: false,
  }));
  const counts = { wanted: slots.length, running: slots.length, current: slots.length };
  const view = {
    scope: SCOPE,
    name: service,
    mode: "manage" as const,
    state: "ok" as const,
    reason: "",
    image: container.Image,
    ...counts,
    healthy: health === "starting" ? 0 : slots.length,
    ports: [],
    dependsOn: [],
    heal: "restart",
    healUsed: 0,
    healMax: 5,
    warnings: [],
    instances,
  };
  const scope = {
    scope: SCOPE,
    mode: "manage" as const,
    settled: true,
    removing: false,
    files: [],
  };
  return { generation, view: { ...scope, services: [view] } };
}
