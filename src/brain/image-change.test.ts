// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Facts, InstanceFact } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";
import type { ServiceMemory } from "#model/memory.ts";
import { noteImages } from "./image-change.ts";
import { makePlan } from "./plan.ts";
import { planReconcile } from "./reconcile.ts";
import { rememberAction } from "./remember.ts";
import {
  buildFacts,
  buildInput,
  buildInstance,
  buildMemory,
  buildService,
} from "./testing/builders.ts";
import { runWorld } from "./testing/world.ts";

const OLD = `sha256:${"1".repeat(64)}`;
const NEW = `sha256:${"2".repeat(64)}`;
const web = buildService();
const run = (parts: Partial<InstanceFact> = {}): InstanceFact =>
  buildInstance({ imageId: OLD, ...parts });

/** An engine on which `app:1` means `imageId`. */
function meaning(imageId: string | undefined, instances: readonly InstanceFact[]): Facts {
  const images = new Map(imageId === undefined ? [] : [["app:1", imageId] as const]);
  return buildFacts(instances, { images: new Map([...images, [OLD, OLD], [NEW, NEW]]) });
}

/** What an `up` of the same or another configuration makes of a memory. */
function up(
  facts: Facts,
  memory: ServiceMemory = buildMemory(),
  service: ServiceIntent = web,
): ServiceMemory {
  return noteImages(memory, { service, before: web, facts, instances: facts.instances });
}

function plan(facts: Facts, memory: ServiceMemory, service: ServiceIntent = web): string[] {
  const input = buildInput([service], facts.instances, { facts, memories: { web: memory } });
  return makePlan(input, "pl").steps.map((step) => `${step.act} ${step.object}: ${step.because}`);
}

const RENEWED = [
  "instance.create shop-web-1: image app:1 is now sha256:222222222222, this runs sha256:111111111111",
  "instance.remove shop-web-1: the new web-1 is up",
];

describe("a reference that means another image", () => {
  test("recreates what runs the old one, at the next up and once", () => {
    const facts = meaning(NEW, [run()]);
    const memory = up(facts);
    assert.deepEqual(plan(facts, memory), RENEWED);
    const after = meaning(NEW, [run({ id: "later", imageId: NEW })]);
    assert.deepEqual(plan(after, up(after, memory)), []);
  });

  test("changes nothing between two ups, whatever heals", () => {
    assert.deepEqual(plan(meaning(NEW, [run()]), up(meaning(OLD, [run()]))), []);
    const ended = run({ state: "exited", exitCode: 1, finishedAtMs: run().createdAtMs + 59_000 });
    const facts = meaning(NEW, [ended]);
    const { actions } = planReconcile(
      buildInput([web], facts.instances, { facts, memories: { web: up(meaning(OLD, [ended])) } }),
    );
    assert.deepEqual(
      actions.map(({ act, target }) => [act, target]),
      [["instance.start", ended.id]],
    );
  });

  test("changes nothing when the engine has lost it, or it was only tagged again", () => {
    for (const facts of [meaning(undefined, [run()]), meaning(OLD, [run()])])
      assert.deepEqual(plan(facts, up(facts)), []);
  });

  test("that was moved back or lost leaves what is not changed yet", () => {
    const memory = up(meaning(NEW, [run()]));
    for (const now of [meaning(OLD, [run()]), meaning(undefined, [run()])])
      assert.deepEqual(plan(now, up(now, memory)), []);
  });

  test("leaves what was never managed, and takes an adopted one as having what the tag meant", () => {
    const found = run({ hash: undefined });
    const facts = meaning(NEW, [found]);
    const [adopt] = planReconcile(
      buildInput([web], [found], { facts, memories: { web: up(facts) } }),
    ).actions;
    assert.ok(adopt);
    assert.equal(adopt.act, "instance.adopt");
    const adopted = rememberAction(adopt, 0)?.(up(facts)) ?? buildMemory();
    assert.deepEqual(plan(facts, up(facts, adopted)), [], "an up without a change");
    const third = `sha256:${"3".repeat(64)}`;
    const moved = meaning(third, [found]);
    assert.equal(plan(moved, up(moved, adopted)).length, 2, "an up with a changed image");
  });

  test("goes slot by slot, at the pace of a change", () => {
    const two = buildService({ replicas: 2 });
    const instances = [run(), run({ slot: 2, name: "shop-web-2" })];
    const facts = meaning(NEW, instances);
    const input = buildInput([two], instances, { facts, memories: { web: up(facts) } });
    assert.deepEqual(
      planReconcile(input).actions.map(({ act, slot }) => [act, slot]),
      [["instance.create", 1]],
    );
  });
});

describe("an image that does not come up", () => {
  const update = { ...web.update, onFailure: "rollback" as const };
  const HostConfig = { PortBindings: { "80/tcp": [{ HostPort: "80" }] } };
  const single = buildService({ update, container: { Image: "app:1", HostConfig } });

  test("is taken back to the very image that ran, although no tag names it", () => {
    const facts = meaning(NEW, [run()]);
    const memory = up(facts, buildMemory(), single);
    const failed = { ...memory, rolloutFailed: { hash: single.hash, atMs: 1, reason: "code 1" } };
    const fresh = run({ id: "fresh", imageId: NEW });
    const input = buildInput([single], [fresh], {
      facts: meaning(NEW, [fresh]),
      memories: { web: failed },
    });
    const [action] = planReconcile(input).actions;
    assert.equal(action?.act, "instance.replace");
    assert.equal(action?.spec?.container.Image, OLD);
    assert.deepEqual(action?.spec?.container.HostConfig, HostConfig);
    const restored = run({ id: "restored", hash: action?.spec?.hash ?? "" });
    const there = meaning(NEW, [restored]);
    assert.deepEqual(plan(there, failed, single), [], "it rests");
    const { rolloutFailed: _, ...forgiven } = failed;
    assert.equal(plan(there, up(there, forgiven, single), single).length, 1, "up tries again");
    const moved = meaning(OLD, [restored]);
    assert.deepEqual(plan(moved, up(moved, forgiven, single), single), [], "the tag is back");
  });

  test("keeps the old one where two may stand side by side", () => {
    const facts = meaning(NEW, [run()]);
    const memory = up(facts);
    const failed = { ...memory, rolloutFailed: { hash: web.hash, atMs: 1, reason: "code 1" } };
    assert.deepEqual(plan(facts, failed), []);
  });

  test("a change of configuration goes back to the image of before, when its tag has moved too", () => {
    const changed = { ...single, hash: "web-v2" };
    const facts = meaning(NEW, [run()]);
    const { previous } = up(facts, buildMemory({ previous: single }), changed);
    assert.deepEqual([previous?.hash, previous?.container.Image], [single.hash, OLD]);
    const same = up(meaning(OLD, [run()]), buildMemory({ previous: single }), changed);
    assert.equal(same.previous?.container.Image, "app:1");
  });
});

test("the loop comes to an end and runs the new image", () => {
  const facts = meaning(NEW, [run()]);
  const input = buildInput([web], facts.instances, { facts, memories: { web: up(facts) } });
  const world = runWorld(input);
  assert.deepEqual(
    world.input.facts.instances.map((one) => [one.name, one.imageId]),
    [["shop-web-1", NEW]],
  );
});
