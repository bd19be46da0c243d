// SPDX-License-Identifier: Apache-2.0
// Whatever happens to a container, it comes back as its owner wants it, once, and the decision says why.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Decision } from "@fairlead/protocol/decision.ts";
import { IMAGE, until } from "#lab/rig.ts";
import type { InstanceFact } from "#model/facts.ts";
import { openScenario, type Scenario } from "./scenario.ts";

const FILE = `
name: heal
services:
  plain:
    image: ${IMAGE}
    stop_grace_period: 0s
  sick:
    image: ${IMAGE}
    stop_grace_period: 0s
    tmpfs: /tmp
    healthcheck: { test: ["CMD", "test", "!", "-e", "/tmp/ill"], interval: 500ms, timeout: 5s, retries: 2 }
    depends_on: { rock: { condition: service_healthy, restart: true } }
  rock:
    image: ${IMAGE}
    stop_grace_period: 0s
    healthcheck: { test: ["CMD", "true"], interval: 500ms, retries: 2 }
  hungry:
    image: ${IMAGE}
    command: ["sh", "-c", "sleep 1; test -e /tmp/fed && sleep 100000; head -c 200000000 /dev/zero | tail"]
    mem_limit: 24m
    stop_grace_period: 0s
  job:
    image: ${IMAGE}
    command: ["true"]
  never:
    image: ${IMAGE}
    command: ["false"]
    restart: "no"
  polite:
    image: ${IMAGE}
    restart: unless-stopped
    stop_grace_period: 0s
  crash:
    image: ${IMAGE}
    command: ["sh", "-c", "exit 9"]
    labels: { fairlead.heal: "restart max=3/10m" }
`;

describe("healing", () => {
  let scenario: Scenario;
  const find = async (name: string): Promise<InstanceFact> => {
    const instance = await scenario.rig.engine.inspectInstance(name);
    assert.ok(instance !== undefined, `${name} is there`);
    return instance;
  };
  const awaitDecision = async (
    service: string,
    test: (decision: Decision) => boolean,
  ): Promise<Decision> => {
    let found: Decision | undefined;
    await until(
      `a decision on ${service}`,
      60_000,
      async () => {
        found = (await scenario.decisions("heal")).find(
          (decision) => decision.service === service && test(decision),
        );
        return found !== undefined;
      },
      50,
    );
    assert.ok(found !== undefined);
    return found;
  };

  before(async () => {
    scenario = await openScenario();
    await scenario.rig.cli(["up", "-f", scenario.file(FILE), "-d"]);
  });
  after(() => scenario[Symbol.asyncDispose]());

  it("restarts a container whose process was killed, in place", async () => {
    const before = await (async () => {
      await until(
        "plain runs",
        30_000,
        async () =>
          (await scenario.rig.engine.inspectInstance("heal-plain-1"))?.state === "running",
      );
      return find("heal-plain-1");
    })();
    await scenario.rig.engine.killInstance(before.id, { decision: "test" });
    const decision = await awaitDecision(
      "plain",
      (d) => d.outcome === "done" && d.trigger.kind === "exit",
    );
    const now = await find("heal-plain-1");
    assert.equal(now.id, before.id);
    assert.equal(now.state, "running");
    assert.match(decision.trigger.detail, /137 \(killed, SIGKILL\)/);
    assert.equal(decision.rule.at?.line, 4);
    assert.deepEqual([decision.budget?.used, decision.budget?.max], [1, 5]);
  });

  it("makes a removed container anew", async () => {
    const before = await find("heal-plain-1");
    await scenario.rig.engine.removeInstance(before.id, {
      decision: "test",
      force: true,
      anonymousVolumes: true,
    });
    await until("it is there again", 30_000, async () => {
      const now = await scenario.rig.engine.inspectInstance("heal-plain-1");
      return now?.state === "running" && now.id !== before.id;
    });
  });

  it("R10: restarts an unhealthy container, keeps what its check said, and leaves a healthy dependency alone", async (t) => {
    await until(
      "sick is healthy",
      30_000,
      async () => (await scenario.rig.engine.inspectInstance("heal-sick-1"))?.health === "healthy",
    );
    const before = await find("heal-sick-1");
    const rock = await find("heal-rock-1");
    const illMs = Date.now();
    await scenario.rig.engine.exec(before.id, ["touch", "/tmp/ill"], { decision: "test" });
    const decision = await awaitDecision(
      "sick",
      (d) => d.trigger.kind === "unhealthy" && d.outcome === "done",
    );
    assert.equal(decision.act, "instance.restart");
    assert.match(decision.before?.state ?? "", /unhealthy/);
    await until(
      "sick is healthy again",
      30_000,
      async () => (await scenario.rig.engine.inspectInstance("heal-sick-1"))?.health === "healthy",
    );
    assert.equal((await find("heal-sick-1")).id, before.id);
    const { id, startedAtMs } = await find("heal-rock-1");
    assert.deepEqual([id, startedAtMs], [rock.id, rock.startedAtMs]);
    t.diagnostic(
      `ill until the act began: ${decision.startedAtMs - illMs} ms, of which 2 checks of 500 ms; the act ${decision.durationMs ?? 0} ms`,
    );
  });

  it("names memory as the cause when the kernel killed for it", async () => {
    // The engine may lose the kernel's word when the container ends at the same moment: it eats until it was heard.
    const decision = await awaitDecision(
      "hungry",
      (d) => d.trigger.kind === "oom" && d.outcome === "done",
    );
    assert.match(decision.trigger.detail, /ran out of memory/);
    const by = { decision: "test", mode: 0o644, uid: 0, gid: 0 };
    const fed = [{ path: "/tmp/fed", content: Buffer.from(""), ...by }];
    await scenario.rig.engine.putFiles("heal-hungry-1", fed, by);
    await until("hungry runs and goes on running", 30_000, async () => {
      const now = await scenario.rig.engine.inspectInstance("heal-hungry-1");
      return now?.state === "running" && Date.now() - now.startedAtMs > 3_000;
    });
  });

  it("leaves completed jobs, restart: no, and what a person stopped under unless-stopped", async () => {
    await scenario.rig.engine.stopInstance("heal-polite-1", {
      decision: "test",
      graceMs: 0,
      signalName: "SIGTERM",
    });
    await until(
      "polite rests",
      20_000,
      async () => (await scenario.service("heal", "polite")).state === "stopped",
    );
    assert.match((await scenario.service("heal", "polite")).reason, /stopped by hand/);
    assert.equal((await scenario.service("heal", "job")).state, "completed");
    assert.equal((await scenario.service("heal", "never")).state, "stopped");
    assert.equal((await find("heal-polite-1")).state, "exited");
    const acts = (await scenario.decisions("heal")).filter(
      (d) => d.service === "job" || d.service === "never",
    );
    assert.deepEqual(
      acts.map((d) => d.act),
      ["instance.create", "instance.create"],
    );
  });

  it("climbs the ladder: restarts, a recreation, quarantine with an alert, and then rests", async () => {
    await until(
      "crash is quarantined",
      60_000,
      async () => (await scenario.service("heal", "crash")).state === "quarantined",
      50,
    );
    await awaitDecision("crash", (d) => d.act === "service.quarantine" && d.outcome === "done");
    const acts = (await scenario.decisions("heal")).filter((d) => d.service === "crash").reverse();
    assert.deepEqual(
      acts.map((d) => d.act),
      [
        "instance.create",
        "instance.start",
        "instance.start",
        "instance.replace",
        "service.quarantine",
      ],
    );
    const { body } = await scenario.rig.ask<{ items: { name: string; service?: string }[] }>(
      "alerts",
    );
    assert.ok(body.items.some((alert) => alert.name === "HealGaveUp" && alert.service === "crash"));
    const why = await scenario.rig.cli(["why", "crash", "--scope", "heal"]);
    assert.match(why.stdout, /3 of 3 acts/);
  });

  it("has one instance of everything in the end, and a decision behind every write", async () => {
    const instances = await scenario.instances("heal");
    assert.deepEqual(instances.map((instance) => instance.service).sort(), [
      "crash",
      "hungry",
      "job",
      "never",
      "plain",
      "polite",
      "rock",
      "sick",
    ]);
    const known = new Set((await scenario.decisions("heal")).map((decision) => decision.id));
    const unexplained = scenario.proxy
      .writes()
      .filter((write) => write.decision === undefined || !known.has(write.decision));
    assert.deepEqual(
      unexplained.map((write) => `${write.method} ${write.path}`),
      [],
    );
  });
});
