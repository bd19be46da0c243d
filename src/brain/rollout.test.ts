// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { ServiceIntent } from "#model/intent.ts";
import { planReconcile } from "./reconcile.ts";
import { findStopFirstReason } from "./rollout.ts";
import { buildInput, buildInstance, buildService, NOW_MS } from "./testing/builders.ts";
import { runWorld } from "./testing/world.ts";

const start = buildService().update;

describe("findStopFirstReason()", () => {
  const bind = (HostPort: string): Partial<ServiceIntent> => ({
    container: { Image: "app:1", HostConfig: { PortBindings: { "80/tcp": [{ HostPort }] } } },
  });
  const on = (parts: object): Partial<ServiceIntent> => ({
    network: { kind: "networks", attachments: [{ network: "default", ...parts }] },
  });
  const mount = (ReadOnly: boolean): Partial<ServiceIntent> => ({
    container: {
      Image: "app:1",
      HostConfig: { Mounts: [{ Type: "volume", Source: "data", Target: "/data", ReadOnly }] },
    },
  });

  const host = (HostConfig: ServiceIntent["container"]["HostConfig"]): Partial<ServiceIntent> => ({
    container: { Image: "app:1", HostConfig },
  });
  const directory = (ReadOnly?: boolean) => ({
    Type: "bind" as const,
    Source: "/srv/db",
    Target: "/data",
    ...(ReadOnly === undefined ? {} : { ReadOnly }),
  });
  const lent = (readOnly: boolean): Partial<ServiceIntent> => ({
    volumesFrom: [{ from: { kind: "service", service: "store" }, readOnly }],
  });

  test("names what can be there once only", () => {
    const cases: [Partial<ServiceIntent>, RegExp][] = [
      [bind("8080"), /host port 8080/],
      [{ network: { kind: "host" } }, /network of the host/],
      [{ network: { kind: "service", service: "a" } }, /network of another/],
      [{ network: { kind: "container", container: "a" } }, /network of another/],
      [{ fixedName: "boss" }, /container_name boss/],
      [on({ ipv4Address: "10.0.0.2" }), /address on network default/],
      [on({ macAddress: "02:42:ac:11:00:02" }), /address on network default/],
      [{ container: { Image: "app:1", MacAddress: "02:42:ac:11:00:02" } }, /MAC address/],
      [mount(false), /volume data/],
      [host({ Binds: ["/srv/db:/data:rw"] }), /directory \/srv\/db may not bear two writers/],
      [host({ Binds: ["/a:/a:ro", "/srv/db:/data:rw,rshared,z"] }), /directory \/srv\/db/],
      [host({ Mounts: [directory()] }), /directory \/srv\/db/],
      [lent(false), /volumes of store/],
      [{ update: { ...start, order: "stop-first" } }, /stop-first/],
    ];
    for (const [parts, reason] of cases)
      assert.match(findStopFirstReason(buildService(parts)) ?? "", reason);
  });

  test("lets side by side what the engine can place anywhere", () => {
    for (const parts of [
      {},
      ...["", "0", "8000-8010"].map(bind),
      mount(true),
      host({ Binds: ["/srv/db:/data:ro", "/srv/ro:/rw:ro,rprivate"] }),
      host({ Mounts: [directory(true), { Type: "tmpfs", Target: "/tmp" }] }),
      host({ Mounts: [{ Type: "volume", Target: "/data" }] }),
      lent(true),
    ])
      assert.equal(findStopFirstReason(buildService(parts)), undefined);
  });

  test("minds the volumes that the next one takes over from the one that is there", () => {
    const old = buildInstance({ anonymousVolumes: [{ name: "v1", target: "/data" }] });
    assert.match(findStopFirstReason(buildService(), old) ?? "", /the volume at \/data/);
    const named = buildService(mount(true));
    assert.equal(findStopFirstReason(named, old), undefined, "it has another volume there");
  });

  test("follows an owner who says start-first about a volume, not about a port", () => {
    const update = { ...start, order: "start-first" as const };
    for (const parts of [mount(false), host({ Binds: ["/srv/db:/data:rw"] }), lent(false)])
      assert.equal(findStopFirstReason(buildService({ ...parts, update })), undefined);
    assert.match(findStopFirstReason(buildService({ ...bind("80"), update })) ?? "", /port/);
  });
});

describe("a rollout", () => {
  const order = fc.constantFrom("start-first" as const, "stop-first" as const);

  test("never has more than its parallelism in the middle of a change, and keeps its delay", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 3 }),
        fc.constantFrom(0, 4_000, 30_000),
        fc.constantFrom(0, 5_000),
        order,
        (replicas, parallelism, delayMs, monitorMs, kind) => {
          const update = { ...start, order: kind, parallelism, delayMs, monitorMs };
          const service = buildService({ replicas, update, hash: "web-v2" });
          const old = Array.from({ length: replicas }, (_, i) => buildInstance({ slot: i + 1 }));
          const changes: number[] = [];
          const { input } = runWorld(buildInput([service], old), {
            inspect({ nowMs, facts }, { actions }) {
              const begun = actions.filter(
                (a) => a.trigger.detail === "its configuration was changed",
              );
              assert.ok(begun.length <= parallelism);
              const last = changes.at(-1);
              if (begun.length > 0 && last !== undefined) assert.ok(nowMs - last >= delayMs);
              if (begun.length > 0) changes.push(nowMs + 1);
              const young = facts.instances.filter(
                (i) => i.hash === "web-v2" && nowMs - i.startedAtMs < monitorMs,
              );
              assert.ok(young.length + begun.length <= parallelism);
              const up = facts.instances.filter((i) => i.state === "running");
              assert.ok(up.length >= replicas);
            },
          });
          assert.ok(
            input.facts.instances.every(
              (i) => i.hash === "web-v2" && i.name.startsWith("shop-web-"),
            ),
          );
          assert.equal(input.facts.instances.length, replicas);
        },
      ),
      { numRuns: 150 },
    );
  });

  test("changes nothing else: what is current stays the container that it is", () => {
    const services = [buildService({ name: "db" }), buildService({ hash: "web-v2" })];
    const db = buildInstance({ service: "db" });
    const { input, actions } = runWorld(buildInput(services, [db, buildInstance()]));
    assert.ok(input.facts.instances.includes(db));
    assert.deepEqual([...new Set(actions.map((action) => action.service))], ["web"]);
  });

  test("counts every slot that is not settled, the last too, and wakes when the first of them is", () => {
    const young = (slot: number, agoMs: number) => {
      const times = { createdAtMs: NOW_MS - agoMs, startedAtMs: NOW_MS - agoMs };
      return buildInstance({ slot, name: `shop-web-${slot}`, hash: "web-v2", ...times });
    };
    const plan = (parallelism: number, ...there: ReturnType<typeof young>[]) => {
      const parts = { hash: "web-v2", update: { ...start, parallelism } };
      return planReconcile(buildInput([buildService({ replicas: there.length, ...parts })], there));
    };
    const last = plan(1, buildInstance(), young(2, 1_000));
    assert.deepEqual([last.actions.length, last.wakeAtMs], [0, NOW_MS + 4_000]);
    const both = plan(2, buildInstance(), young(2, 3_000), young(3, 1_000));
    assert.deepEqual([both.actions.length, both.waiting[0]?.untilMs], [0, NOW_MS + 2_000]);
    assert.equal(plan(2, buildInstance(), young(2, 1_000)).actions.length, 1);
    assert.equal(plan(1, buildInstance(), young(2, 5_000)).actions.length, 1);
  });

  test("counts an act that is running as a change that is not over", () => {
    const services = [buildService({ replicas: 2, hash: "web-v2" })];
    const old = [buildInstance({ slot: 1 }), buildInstance({ slot: 2 })];
    let decided = 0;
    runWorld(buildInput(services, old, { busy: new Set(["web/1"]) }), {
      inspect: (_, { actions }) => void (decided += actions.length),
    });
    assert.equal(decided, 0);
  });

  test("renews what is too old, and asks to be woken for it", () => {
    const service = buildService({ ttlMs: 120_000 });
    const instance = buildInstance();
    let woken: number | undefined;
    const input = buildInput([service], [instance]);
    assert.throws(() =>
      runWorld(input, { roundsMax: 1, inspect: (_, { wakeAtMs }) => (woken = wakeAtMs) }),
    );
    assert.equal(woken, NOW_MS + 60_000);
  });
});
