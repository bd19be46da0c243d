// SPDX-License-Identifier: Apache-2.0
// A small shop of services, some of them in trouble: what the API's and the page's tests show.
import type { Decision, Plan } from "@fairlead/protocol/decision.ts";
import type { Intent } from "@fairlead/protocol/intent.ts";
import type { Alert, InstanceView, NodeStatus, ServiceView } from "@fairlead/protocol/views.ts";
import { buildService } from "#brain/testing/builders.ts";

export const SCOPE = "shop";
const FILE = "compose.yaml";

/** An instance that runs and is healthy, unless told otherwise. */
export function createInstance(
  service: string,
  slot: number,
  startedAtMs: number,
  changes: Partial<InstanceView> = {},
): InstanceView {
  return {
    id: `${slot}${service.length}`.padEnd(64, "0c4d"),
    name: `${SCOPE}-${service}-${slot}`,
    scope: SCOPE,
    service,
    slot,
    image: `${SCOPE}/${service}:1`,
    state: "running",
    health: "healthy",
    oomKilled: false,
    startedAtMs,
    createdAtMs: startedAtMs - 200,
    ports: [],
    addresses: { [`${SCOPE}_default`]: `172.20.0.${10 + slot}` },
    current: true,
    adopted: false,
    ...changes,
  };
}

/** A service with as many healthy instances as wanted, unless told otherwise. */
export function createService(
  name: string,
  instances: readonly InstanceView[],
  changes: Partial<ServiceView> = {},
): ServiceView {
  const running = instances.filter((one) => one.state === "running");
  return {
    scope: SCOPE,
    name,
    mode: "manage",
    state: "ok",
    reason: "",
    image: `${SCOPE}/${name}:1`,
    wanted: instances.length,
    running: running.length,
    healthy: running.filter((one) => one.health === "healthy" || one.health === "none").length,
    current: instances.length,
    ports: [],
    dependsOn: [],
    heal: "restart max=5/10m",
    healUsed: 0,
    healMax: 5,
    at: { file: FILE, line: 4 },
    warnings: [],
    instances: [...instances],
    ...changes,
  };
}

/** The services of the shop. */
export function createServices(nowMs: number): ServiceView[] {
  const hourAgoMs = nowMs - 3_600_000;
  const port = { hostIp: "127.0.0.1", hostPort: 8080, containerPort: 80, protocol: "tcp" };
  return [
    createService(
      "web",
      [1, 2].map((slot) => createInstance("web", slot, hourAgoMs)),
      {
        ports: [port],
        dependsOn: ["db"],
        at: { file: FILE, line: 3 },
      },
    ),
    createService("db", [createInstance("db", 1, hourAgoMs)], { at: { file: FILE, line: 18 } }),
    createService(
      "worker",
      [1, 2, 3].map((slot) =>
        createInstance("worker", slot, slot === 2 ? nowMs - 4_000 : hourAgoMs, {
          health: slot === 2 ? "starting" : "healthy",
        }),
      ),
      {
        state: "healing",
        reason: "worker-2 was restarted 4 s ago and is not healthy yet",
        healUsed: 2,
        at: { file: FILE, line: 27 },
      },
    ),
    createService(
      "report",
      [
        createInstance("report", 1, nowMs - 90_000, {
          state: "exited",
          health: "none",
          exitCode: 1,
          finishedAtMs: nowMs - 60_000,
        }),
      ],
      {
        state: "quarantined",
        reason: "5 acts in 10 minutes did not help; it exits with code 1 each time",
        healUsed: 5,
        at: { file: FILE, line: 41 },
        warnings: [
          {
            severity: "warning",
            id: "FL0214",
            slug: "unknown-label",
            message: 'unknown label "fairlead.heel"',
            hint: "did you mean fairlead.heal?",
            at: { file: FILE, line: 44, column: 7 },
          },
        ],
      },
    ),
    createService(
      "migrate",
      [
        createInstance("migrate", 1, hourAgoMs, {
          state: "exited",
          health: "none",
          exitCode: 0,
          finishedAtMs: hourAgoMs + 900,
        }),
      ],
      {
        state: "completed",
        reason: "ended with code 0",
        at: { file: FILE, line: 52 },
      },
    ),
  ];
}

/** A finished restart of worker-2, unless told otherwise. */
export function createDecision(
  id: string,
  atMs: number,
  changes: Partial<Decision> = {},
): Decision {
  return {
    id,
    scope: SCOPE,
    service: "worker",
    object: `${SCOPE}-worker-2`,
    containerId: "20".padEnd(64, "0c4d"),
    act: "instance.restart",
    title: "restarted worker-2",
    actor: "automatic",
    trigger: {
      kind: "unhealthy",
      detail: "health check failed 3 times: redis: connection refused",
      atMs,
    },
    rule: { text: "restart max=5/10m", at: { file: FILE, line: 33 } },
    inputs: { "health failures": 3, "restarts in window": 2, "seconds running": 3_541 },
    notDone: [{ what: "recreate worker-2", why: "a restart comes first; 2 of 5 acts used" }],
    before: {
      state: "running",
      healthOutput: "redis: connection refused",
      logTail: ["10:38:18 job 8812 done in 41 ms", "10:38:20 redis: connection refused"],
    },
    budget: { used: 2, max: 5, windowMs: 600_000 },
    startedAtMs: atMs + 12,
    finishedAtMs: atMs + 243,
    durationMs: 231,
    outcome: "done",
    result: "running after 231 ms",
    ...changes,
  };
}

/** What was decided in the shop, newest first. */
export function createDecisions(nowMs: number): Decision[] {
  return [
    createDecision("dec_0000000000000E", nowMs - 4_000),
    createDecision("dec_0000000000000D", nowMs - 60_000, {
      service: "report",
      object: `${SCOPE}-report-1`,
      act: "service.quarantine",
      title: "quarantined report",
      trigger: { kind: "exit", detail: "process ended with code 1", atMs: nowMs - 60_000 },
      rule: { text: "restart max=5/10m", at: { file: FILE, line: 43 } },
      inputs: { "exit code": 1, "acts in window": 5 },
      notDone: [{ what: "restart report-1", why: "the budget of 5 acts in 10 minutes is used up" }],
      before: {
        state: "exited",
        exitCode: 1,
        oomKilled: false,
        logTail: ["config: missing REPORT_BUCKET"],
      },
      budget: { used: 5, max: 5, windowMs: 600_000 },
      result: "alert HealGaveUp raised",
      durationMs: 3,
    }),
    createDecision("dec_0000000000000C", nowMs - 120_000, {
      service: "report",
      object: `${SCOPE}-report-1`,
      title: "restarted report-1",
      trigger: { kind: "exit", detail: "process ended with code 1", atMs: nowMs - 120_000 },
      outcome: "failed",
      result: "exited again after 80 ms",
    }),
    createDecision("dec_0000000000000B", nowMs - 3_600_000, {
      service: "web",
      object: `${SCOPE}-web-2`,
      act: "instance.create",
      title: "created web-2",
      actor: "unix socket",
      trigger: { kind: "person", detail: "fairlead up", atMs: nowMs - 3_600_000 },
      rule: { text: "replicas: 2", at: { file: FILE, line: 6 } },
      inputs: { wanted: 2, running: 1 },
      notDone: [],
      result: "running after 180 ms",
    }),
  ];
}

/** The one alert of the shop. */
export function createAlerts(nowMs: number): Alert[] {
  return [
    {
      id: "alert_report",
      scope: SCOPE,
      service: "report",
      name: "HealGaveUp",
      message: "report keeps exiting with code 1; healing stopped after 5 acts in 10 minutes",
      decision: "dec_0000000000000D",
      sinceMs: nowMs - 60_000,
    },
  ];
}

/** The status of a node that manages the shop. */
export function createStatus(nowMs: number, you: string): NodeStatus {
  return {
    version: "0.1.0",
    node: "harbour",
    pid: 4_711,
    startedAtMs: nowMs - 7_200_000,
    you,
    engine: {
      reachable: true,
      version: "27.4.1",
      apiVersion: "1.47",
      endpoint: "unix:///var/run/docker.sock",
      asOfMs: nowMs - 800,
    },
    store: { writable: true, sizeBytes: 1_843_200 },
    scopes: { managed: 1, observed: 2 },
    services: 5,
    instances: 8,
    unhealthy: 1,
    alerts: createAlerts(nowMs),
    decisionsToday: 4,
  };
}

/** A plan that restarts one instance. */
export function createPlan(scope: string, nowMs: number, service: string): Plan {
  return {
    id: "pl_00000000000001",
    scope,
    basis: "8841",
    intentHash: "5f0c",
    madeAtMs: nowMs,
    steps: [
      {
        act: "instance.restart",
        service,
        object: `${scope}-${service}-1`,
        title: `restart ${service}-1`,
        because: "a person asks for it",
      },
    ],
    unchanged: 4,
    warnings: [],
  };
}

/** What the shop's owner wants. */
export function createIntent(scope: string = SCOPE): Intent {
  return {
    scope,
    services: [
      buildService({
        container: { Image: `${SCOPE}/web:1`, Env: ["PASSWORD=[hidden]"] },
        at: { file: FILE, line: 3 },
      }),
    ],
    networks: [],
    volumes: [],
    files: [FILE],
    projectDirectory: "/srv/shop",
    diagnostics: [],
  };
}
