// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OWN_LABELS } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";
import { normalizeReference } from "./naming.ts";
import type { Hold } from "./pass.ts";
import { planReconcile } from "./reconcile.ts";
import {
  buildDependency,
  buildFacts,
  buildInput,
  buildInstance,
  buildIntent,
  buildNetwork,
  buildService,
  NOW_MS,
} from "./testing/builders.ts";

describe("dependencies", () => {
  test("in a circle decide nothing and end", () => {
    for (const required of [true, false]) {
      const services = [
        buildService({ name: "a", dependsOn: [buildDependency("b", { required })] }),
        buildService({ name: "b", dependsOn: [buildDependency("a", { required })] }),
      ];
      const { actions, waiting } = planReconcile(buildInput(services, []));
      if (required) assert.deepEqual([actions.length, waiting.length], [0, 2]);
      else assert.ok(actions.length > 0);
    }
  });

  test("that are not required are done without once an act on them has failed", () => {
    const services = [
      buildService({ name: "cache" }),
      buildService({ dependsOn: [buildDependency("cache", { required: false })] }),
    ];
    const waits = planReconcile(buildInput(services, []));
    assert.deepEqual(
      waits.actions.map((action) => action.key),
      ["cache/1"],
    );
    const held = new Map([["cache/1", { untilMs: NOW_MS + 9, reason: "no", final: false }]]);
    const goes = planReconcile(buildInput(services, [], { held }));
    assert.deepEqual(
      goes.actions.map((action) => action.key),
      ["web/1"],
    );
  });

  test("are not waited for before their images are pulled", () => {
    const services = [
      buildService({ name: "db" }),
      buildService({
        container: { Image: "web:9" },
        dependsOn: [buildDependency("db", { condition: "healthy" })],
      }),
    ];
    const { actions } = planReconcile(buildInput(services, []));
    assert.deepEqual(
      actions.map((action) => action.act),
      ["instance.create", "image.pull"],
    );
  });
});

describe("resources", () => {
  const isOwnOf = (scope: string) => ({
    [OWN_LABELS.scope]: scope,
    [OWN_LABELS.key]: "default",
    [OWN_LABELS.hash]: "default-v0",
  });

  test("a network in use by a container of another scope is not taken from it", () => {
    const guest = buildInstance({ scope: "other", addresses: { shop_default: "172.18.0.9" } });
    const networks = [{ id: "n", name: "shop_default", driver: "bridge", labels: isOwnOf("shop") }];
    const there = [buildInstance(), guest];
    const input = buildInput([buildService()], there, { facts: buildFacts(there, { networks }) });
    const { actions, waiting } = planReconcile(input);
    assert.deepEqual(actions, []);
    assert.match(waiting[0]?.reason ?? "", /in use by other-web-1/);
  });

  test("a network is not taken from it either where a service is on others as well", () => {
    const guest = buildInstance({ scope: "other", addresses: { shop_default: "172.18.0.9" } });
    const networks = [{ id: "n", name: "shop_default", driver: "bridge", labels: isOwnOf("shop") }];
    const attachments = ["back", "default"].map((network) => ({ network }));
    const web = buildService({ network: { kind: "networks", attachments } });
    const intent = buildIntent([web], { networks: [buildNetwork()] });
    const input = buildInput([], [], { intent, facts: buildFacts([guest], { networks }) });
    assert.match(planReconcile(input).waiting[0]?.reason ?? "", /in use by other-web-1/);
  });

  test("a network is made anew once what the engine removes has left it, and says where it stands", () => {
    const networks = [{ id: "n", name: "shop_default", driver: "bridge", labels: isOwnOf("shop") }];
    const at = { file: "compose.yaml", line: 30 };
    const intent = buildIntent([buildService()], { networks: [buildNetwork({ at })] });
    const plan = (there: Parameters<typeof buildFacts>[0]) =>
      planReconcile(buildInput([], [], { intent, facts: buildFacts(there, { networks }) })).actions;
    assert.deepEqual(plan([buildInstance({ state: "removing" })]), []);
    const [action] = plan([]);
    assert.deepEqual([action?.act, action?.target], ["network.remove", "n"]);
    assert.deepEqual(action?.rule, { text: "networks: default", at });
  });

  test("a network that is made first is waited for, one that nobody declared will not come", () => {
    const none = buildFacts([], { networks: [] });
    const wait = (intent: ReturnType<typeof buildIntent>) =>
      planReconcile(buildInput([], [], { intent, facts: none })).waiting[0];
    const made = wait(buildIntent([buildService()]));
    assert.deepEqual([made?.kind, made?.reason], ["blocked", "waits for network shop_default"]);
    const lost = wait(buildIntent([buildService()], { networks: [] }));
    const reason = "uses network default, which is not declared";
    assert.deepEqual([lost?.kind, lost?.reason], ["failed", reason]);
  });

  test("what is external is waited for and never made", () => {
    const intent = buildIntent([buildService({ volumes: ["data"] })], {
      networks: [buildNetwork({ external: true, name: "lan" })],
      volumes: [{ key: "data", name: "nas", external: true, options: {}, labels: {}, hash: "h" }],
    });
    const { actions, waiting } = planReconcile(buildInput([], [], { intent }));
    assert.deepEqual(actions, []);
    assert.deepEqual(
      [waiting[0]?.kind, waiting[0]?.reason],
      ["failed", "waits for the external network lan, which does not exist"],
    );
  });

  test("an image that has to be built, or may not be pulled, is not pulled", () => {
    for (const pull of ["build", "never"] as const) {
      const service = buildService({ container: { Image: "own:1" }, pull });
      const { actions, waiting } = planReconcile(buildInput([service], []));
      assert.deepEqual(actions, []);
      assert.equal(waiting[0]?.kind, "failed");
    }
  });

  describe("where other nodes have images", () => {
    const decide = (parts: Partial<ServiceIntent>, held: ReadonlyMap<string, Hold> = new Map()) => {
      const service = buildService({ container: { Image: "own:1" }, ...parts });
      const { actions, waiting } = planReconcile(
        buildInput([service], [], { held, fetchesImages: true }),
      );
      return { acts: actions.map(({ key, act }) => `${act} ${key}`), waiting };
    };
    const hold = (reason: string, final: boolean): Hold => ({ untilMs: NOW_MS + 9, reason, final });
    const pulled = ["image/own:1", hold("no registry", true)] as const;
    const fetched = ["fetch/own:1", hold("nobody has it", true)] as const;

    test("the registry is asked first, then they are, then nobody for a while", () => {
      assert.deepEqual(decide({}).acts, ["image.pull image/own:1"]);
      assert.deepEqual(decide({}, new Map([pulled])).acts, ["image.fetch fetch/own:1"]);
      const { acts, waiting } = decide({}, new Map([pulled, fetched]));
      assert.deepEqual(acts, []);
      assert.ok(
        waiting.some(
          ({ kind, reason }) => kind === "failed" && reason === "no registry; nobody has it",
        ),
      );
    });

    test("they are asked again later, however often nobody had it", () => {
      const past = ["fetch/own:1", { ...hold("nobody has it", true), untilMs: NOW_MS }] as const;
      assert.deepEqual(decide({}, new Map([pulled, past])).acts, ["image.fetch fetch/own:1"]);
    });

    test("what is built is asked of them at once; what may not be pulled, or has a digest, never", () => {
      assert.deepEqual(decide({ pull: "build" }).acts, ["image.fetch fetch/own:1"]);
      assert.deepEqual(decide({ pull: "never" }).acts, []);
      const digest = `own@sha256:${"a".repeat(64)}`;
      const held = new Map([[`image/${digest}`, hold("no registry", true)]]);
      assert.deepEqual(decide({ container: { Image: digest } }, held).acts, []);
    });
  });

  test("one image is pulled once for all that need it", () => {
    const services = ["a", "b", "c"].map((name) =>
      buildService({ name, container: { Image: "docker.io/library/new" } }),
    );
    const { actions } = planReconcile(buildInput(services, []));
    assert.deepEqual(
      actions.map((action) => action.key),
      ["image/new:latest"],
    );
  });
});

test("normalizeReference() writes images as the engine lists them", () => {
  const cases: [string, string][] = [
    ["busybox", "busybox:latest"],
    ["docker.io/library/busybox", "busybox:latest"],
    ["docker.io/me/app:2", "me/app:2"],
    ["localhost:5000/app", "localhost:5000/app:latest"],
    ["app@sha256:aa", "app@sha256:aa"],
    ["sha256:aa", "sha256:aa"],
  ];
  for (const [text, normal] of cases) assert.equal(normalizeReference(text), normal);
});
