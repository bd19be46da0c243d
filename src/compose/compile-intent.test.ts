// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Intent as IntentSchema, PLACEMENT_DEFAULT } from "@fairlead/protocol/intent.ts";
import fc from "fast-check";
import { stringify } from "yaml";
import type { Intent, ServiceIntent } from "#model/intent.ts";
import { compileIntent } from "./compile-intent.ts";
import { loadText } from "./testing/load-text.ts";

async function compile(text: string, more: Record<string, string> = {}): Promise<Intent> {
  const intent = compileIntent(await loadText(text, more));
  return IntentSchema.parse(intent);
}

async function compileOne(service: string, rest = ""): Promise<ServiceIntent> {
  const body = service.replaceAll(/^/gm, "    ");
  const intent = await compile(`services:\n  a:\n    image: x\n${body}\n  db: {image: y}\n${rest}`);
  const found = intent.services.find((s) => s.name === "a");
  assert.ok(found);
  return found;
}

describe("compileIntent()", () => {
  for (const example of ["shop", "pipeline"]) {
    test(`the example ${example} gives an intent that the schema accepts, without warnings`, async () => {
      const file = new URL(`../../examples/${example}/compose.yaml`, import.meta.url);
      const intent = await compile(readFileSync(file, "utf8"));
      assert.deepEqual(intent.diagnostics, []);
      assert.equal(intent.scope, example);
    });
  }

  test("every part stands where it was written", async () => {
    const a = await compileOne(
      'labels: {fairlead.heal: "replace max=3/10m", fairlead.ttl: 2h}\ndeploy:\n  replicas: 2',
    );
    const file = "/srv/shop/compose.yaml";
    assert.deepEqual(a.at, { file, line: 2, column: 3 });
    assert.deepEqual(a.heal, {
      ladder: "replace",
      actsMax: 3,
      windowMs: 600_000,
      at: { file, line: 4, column: 14 },
    });
    assert.equal(a.ttlMs, 7_200_000);
    assert.deepEqual(a.origins["labels.fairlead.ttl"]?.line, 4);
    assert.deepEqual(a.origins["replicas"], { file, line: 6, column: 7 });
    assert.equal(a.replicas, 2);
  });

  test("fairlead.failover says when to move, and changes no container", async () => {
    const [usual, move, eager, stay] = await Promise.all(
      [
        "{}",
        "{fairlead.failover: move}",
        "{fairlead.failover: eager}",
        "{fairlead.failover: stay}",
      ].map((labels) => compileOne(`labels: ${labels}`)),
    );
    assert.deepEqual(
      [usual, move, eager, stay].map((one) => one?.failover),
      [undefined, undefined, "eager", "stay"],
    );
    assert.equal(eager?.hash, usual?.hash);
    const singleton = await compileOne("labels: {fairlead.singleton: 'true'}");
    assert.deepEqual([singleton.singleton, singleton.hash], [true, usual?.hash]);
  });

  test("the engine's fields are the ones that Compose means", async () => {
    const a = await compileOne(
      [
        'command: sh -c "sleep 1"',
        "entrypoint: []",
        'ports: ["127.0.0.1:8080:80", "53:53/udp", "9000"]',
        'volumes: ["./d:/d:ro", "data:/data", "/anon", {type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0700}}]',
        "tmpfs: [/run, '/tmp:size=1m']",
        "environment: {B: 2, A: one}",
        'healthcheck: {test: "true", interval: 5s, retries: 3, timeout: 30s}',
        "mem_limit: 64m",
        "cpus: 0.5",
        "ulimits: {nofile: 1024}",
        "cap_add: [NET_ADMIN, CHOWN]",
        "extra_hosts: ['h:10.0.0.1', 'h=::1']",
        "devices: ['/dev/null:/dev/n:r', 'vendor.com/gpu=0']",
        "logging: {driver: json-file, options: {max-size: 1m}}",
        "stop_grace_period: 2s",
        "restart: on-failure:3",
      ].join("\n"),
      "volumes: {data: {}}",
    );
    assert.deepEqual(a.container, {
      Image: "x",
      Cmd: ["sh", "-c", "sleep 1"],
      Entrypoint: [""],
      Env: ["A=one", "B=2"],
      ExposedPorts: { "80/tcp": {}, "53/udp": {}, "9000/tcp": {} },
      Healthcheck: { Test: ["CMD-SHELL", "true"], Interval: 5e9 },
      HostConfig: {
        CapAdd: ["CHOWN", "NET_ADMIN"],
        NanoCpus: 5e8,
        Memory: 67_108_864,
        Ulimits: [{ Name: "nofile", Soft: 1024, Hard: 1024 }],
        ExtraHosts: ["h:10.0.0.1", "h:::1"],
        Mounts: [
          { Type: "volume", Source: "shop_data", Target: "/data" },
          { Type: "volume", Target: "/anon" },
          { Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 1_048_576, Mode: 0o700 } },
        ],
        Binds: ["/srv/shop/d:/d:ro"],
        PortBindings: {
          "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "8080" }],
          "53/udp": [{ HostPort: "53" }],
          "9000/tcp": [{ HostPort: "" }],
        },
        LogConfig: { Type: "json-file", Config: { "max-size": "1m" } },
        Tmpfs: { "/run": "", "/tmp": "size=1m" },
        Devices: [{ PathOnHost: "/dev/null", PathInContainer: "/dev/n", CgroupPermissions: "r" }],
        DeviceRequests: [{ Driver: "cdi", DeviceIDs: ["vendor.com/gpu=0"] }],
      },
    });
    assert.deepEqual(a.volumes, ["data"]);
    assert.equal(a.stopGraceMs, 2_000);
    assert.equal(a.restart.policy, "on-failure");
    assert.equal(a.restart.attemptsMax, 3);
  });

  test("each network mode is the one written", async () => {
    const mode = async (text: string): Promise<unknown> => (await compileOne(text)).network;
    assert.deepEqual(await mode("network_mode: host"), { kind: "host" });
    assert.deepEqual(await mode("network_mode: none"), { kind: "none" });
    assert.deepEqual(await mode("network_mode: bridge"), { kind: "bridge" });
    assert.deepEqual(await mode('network_mode: "service:db"'), { kind: "service", service: "db" });
    assert.deepEqual(await mode('network_mode: "container:x"'), {
      kind: "container",
      container: "x",
    });
    assert.deepEqual(await mode("init: true"), {
      kind: "networks",
      attachments: [{ network: "default" }],
    });
    assert.deepEqual(await mode("network_mode: lan"), {
      kind: "networks",
      attachments: [{ network: "engine:lan" }],
    });
  });

  test("a shared namespace is a dependency that restarts with the other", async () => {
    const a = await compileOne('network_mode: "service:db"\ndepends_on: []');
    assert.deepEqual(a.dependsOn, [
      { service: "db", condition: "started", restart: true, required: true },
    ]);
  });

  test("configs and secrets: files are mounted, contents are written", async () => {
    const a = await compileOne(
      "configs: [c, {source: d, target: /etc/d, mode: 0440, uid: '7'}]\nsecrets: [s]",
      "configs: {c: {file: ./c.txt}, d: {content: hé}}\nsecrets: {s: {environment: S}}",
    );
    assert.deepEqual(a.container.HostConfig?.Mounts, [
      { Type: "bind", Source: "/srv/shop/c.txt", Target: "/c", ReadOnly: true },
    ]);
    assert.deepEqual(a.files, [
      {
        path: "/etc/d",
        mode: 0o440,
        uid: 7,
        gid: 0,
        content: Buffer.from("hé").toString("base64"),
      },
      { path: "/run/secrets/s", mode: 0o444, uid: 0, gid: 0, content: "" },
    ]);
  });

  test("constraints are kept as written; what no host has is a warning with its place", async () => {
    const text =
      "services:\n  a:\n    image: x\n    deploy:\n      placement:\n        constraints:\n          - node.labels.disk == ssd\n          - node.ip == 10.0.0.1\n          - disk\n";
    const intent = await compile(text);
    const written = ["node.labels.disk == ssd", "node.ip == 10.0.0.1", "disk"];
    assert.deepEqual(intent.services[0]?.constraints, written);
    assert.deepEqual(
      intent.diagnostics.map(({ id, message, at }) => [id, message, at?.line]),
      [
        ["FL0224", "the constraint node.ip == 10.0.0.1 of a is not acted on", 8],
        ["FL0224", "the constraint disk of a is not acted on", 9],
      ],
    );
  });

  test("where instances may stand: mode, reservations, preferences, fairlead.place", async () => {
    const intent = await compile(`services:
  a:
    image: x
    gpus: all
    labels: { fairlead.place: "pack near=db,ops/log apart=b priority=7" }
    deploy:
      replicas: 3
      placement:
        preferences: [{ spread: node.labels.rack }, { spread: rack }]
        max_replicas_per_node: 2
      resources:
        reservations:
          cpus: 0.5
          memory: 64m
          devices: [{ capabilities: [gpu], device_ids: ["0", "1"] }]
          generic_resources: [{ discrete_resource_spec: { kind: SSD, value: 2 } }]
  b: { image: x, deploy: { mode: global } }
  db: { image: x, labels: { fairlead.place: "far" } }
`);
    const [a, b, db] = intent.services;
    assert.deepEqual(a?.placement, {
      everywhere: false,
      cpuMillis: 500,
      memoryBytes: 64 * 2 ** 20,
      devices: { gpu: 3, ssd: 2 },
      strategy: "pack",
      spreadOver: ["node.labels.rack", "rack"],
      perNodeMax: 2,
      near: ["db", "ops/log"],
      apart: ["b"],
      priority: 7,
    });
    assert.equal(b?.placement.everywhere, true);
    assert.deepEqual(db?.placement, PLACEMENT_DEFAULT);
    assert.deepEqual(
      intent.diagnostics
        .map(({ message, at }) => [message.slice(0, 60), at?.line ?? 0] as const)
        .toSorted(([, a], [, b]) => a - b),
      [
        ['a is not spread over "rack": no node has that', 9],
        ["in a fleet a node has at most 2 of a; a node by itself has t", 10],
        ['fairlead.place: "far" has no effect', 18],
      ],
    );
  });

  test("networks and volumes that no service uses are not made", async () => {
    const intent = await compile("services: {a: {image: x}}\nnetworks: {n: {}}\nvolumes: {v: {}}");
    assert.deepEqual(
      intent.networks.map((n) => n.name),
      ["shop_default"],
    );
    assert.deepEqual(intent.volumes, []);
  });
});

type Body = Record<string, unknown>;

const FULL: Body = {
  image: "x",
  command: ["run"],
  environment: { A: "1", B: "2" },
  labels: { "a.b": "c" },
  ports: [{ target: 80, published: "8080" }],
  volumes: [{ type: "bind", source: "/h", target: "/c" }],
  networks: { n: { aliases: ["w"] }, m: null },
  healthcheck: { test: ["CMD", "true"], interval: "5s" },
  ulimits: { nofile: { soft: 1, hard: 2 }, nproc: 3 },
  sysctls: { "net.core.somaxconn": "1" },
  cap_add: ["NET_ADMIN"],
  user: "1",
  working_dir: "/w",
  mem_limit: "64m",
  logging: { driver: "local", options: { a: "1", b: "2" } },
};

const DEFAULTS: Body = {
  privileged: false,
  read_only: false,
  tty: false,
  stdin_open: false,
  oom_kill_disable: false,
  oom_score_adj: 0,
  stop_grace_period: "10s",
  restart: "always",
  scale: 1,
  pull_policy: "missing",
  depends_on: [],
  profiles: [],
  configs: [],
  secrets: [],
  cpu_shares: 0,
  "x-note": "no effect",
};

const CHANGES: readonly Body[] = [
  { image: "y" },
  { command: ["other"] },
  { entrypoint: ["e"] },
  { environment: { A: "1", B: "3" } },
  { labels: { "a.b": "d" } },
  { ports: [{ target: 80, published: "8081" }] },
  { volumes: [{ type: "bind", source: "/h", target: "/c", read_only: true }] },
  { networks: { n: null, m: null } },
  { networks: { m: null } },
  { healthcheck: { test: ["CMD", "true"], interval: "6s" } },
  { ulimits: { nofile: { soft: 1, hard: 3 }, nproc: 3 } },
  { sysctls: { "net.core.somaxconn": "2" } },
  { cap_add: ["SYS_ADMIN"] },
  { user: "2" },
  { working_dir: "/v" },
  { mem_limit: "65m" },
  { logging: { driver: "local", options: { a: "1", b: "3" } } },
  { privileged: true },
  { hostname: "h" },
  { platform: "linux/arm64" },
  { container_name: "fixed" },
  { stop_grace_period: "11s" },
  { tmpfs: ["/t"] },
  { pid: "host" },
  { ipc: "service:db" },
  { volumes_from: ["db"] },
  { init: true },
  { stop_signal: "SIGINT" },
  { secrets: ["s"] },
];

async function hashOf(body: Body): Promise<string> {
  const file = {
    services: { a: body, db: { image: "y" } },
    networks: { n: {}, m: {} },
    secrets: { s: { environment: "S" } },
  };
  const intent = await compile(stringify(file));
  const found = intent.services.find((service) => service.name === "a");
  assert.ok(found);
  return found.hash;
}

/** Mappings in another order; lists keep theirs. */
function shuffle(value: unknown, pick: (max: number) => number): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffle(item, pick));
  if (typeof value !== "object" || value === null) return value;
  const rest = Object.entries(value).map(([key, inner]) => [key, shuffle(inner, pick)] as const);
  const entries: (readonly [string, unknown])[] = [];
  while (rest.length > 0) entries.push(...rest.splice(pick(rest.length), 1));
  return Object.fromEntries(entries);
}

function isBody(value: unknown): value is Body {
  return typeof value === "object" && value !== null;
}

describe("the hash of a service", () => {
  test("neither the order of keys nor defaults written out change it", async () => {
    const wanted = await hashOf(FULL);
    const names = fc.subarray(Object.keys(DEFAULTS));
    await fc.assert(
      fc.asyncProperty(names, fc.infiniteStream(fc.nat(1_000)), async (keys, numbers) => {
        const added = Object.fromEntries(keys.map((key) => [key, DEFAULTS[key]]));
        const pick = (max: number): number => Number(numbers.next().value) % max;
        const body = shuffle({ ...added, ...FULL }, pick);
        assert.ok(isBody(body));
        assert.equal(await hashOf(body), wanted);
      }),
      { numRuns: 100 },
    );
  });

  test("every change with an effect on the container changes it, and no two the same", async () => {
    const hashes = [await hashOf(FULL)];
    for (const change of CHANGES) hashes.push(await hashOf({ ...FULL, ...change }));
    assert.equal(new Set(hashes).size, CHANGES.length + 1);
  });

  test("what acts without a new container does not change it", async () => {
    const labels = {
      "a.b": "c",
      "fairlead.heal": "alert",
      "fairlead.scale": "1..3",
      "fairlead.ttl": "1h",
    };
    const live: Body = {
      ...FULL,
      labels,
      scale: 4,
      deploy: { restart_policy: { condition: "none" } },
    };
    assert.equal(await hashOf(live), await hashOf(FULL));
  });

  test("short and long forms of the same thing have the same hash", async () => {
    const { networks: _, ...bare } = FULL;
    assert.equal(
      await hashOf({
        ...bare,
        ports: ["8080:80"],
        volumes: ["/h:/c"],
        mem_limit: 67_108_864,
        environment: ["B=2", "A=1"],
      }),
      await hashOf({ ...bare, networks: ["default"] }),
    );
  });
});
