// SPDX-License-Identifier: Apache-2.0
// Each rule of the simulated fleet can fail: with a part broken on purpose it does, in a course of events in which nothing is
// wrong while the part is whole.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Breakage } from "./breakage.ts";
import { listFaults, listUnsettled } from "./invariants.ts";
import { createWorld, type World } from "./world.ts";

const START_MS = 4_000;
const PEACE_MS = 40_000;

interface Course {
  readonly breakage: Breakage;
  /** What is said when it is broken. */
  readonly fault: RegExp;
  readonly rule: string;
  run(world: World): Promise<void>;
}

/** Whoever leads stands still for longer than its lease, with a write under way that is carried on after that. */
async function pauseLeader(world: World): Promise<void> {
  world.health.delayMsMax = 500;
  for (let count = 4; count < 10; count++) {
    const leader = world.hosts.find(({ id, node }) => node?.services?.leader() === id);
    await world.want(count);
    await world.pass(150 * (count - 3));
    const life = leader?.node?.life;
    if (life !== undefined) life.pausedUntilMs = world.timeline.nowMs + 14_000;
    await world.pass(20_000);
  }
  world.mend();
}

/** The host with the singleton is cut off from all for long, and back. */
async function loseHolder(world: World): Promise<void> {
  const holder = world.hosts.find(({ engine }) => engine.listRunning().includes("one/1"));
  const id = holder?.id ?? "";
  for (const other of world.hosts) if (other !== holder) world.cut(id, other.id);
  world.cut(id, "store");
  await world.pass(40_000);
  world.mend();
}

const COURSES: readonly Course[] = [
  {
    breakage: "fencing",
    fault: /^an assignment with fence \d+ /,
    rule: "writes of only one leader take effect",
    run: pauseLeader,
  },
  {
    breakage: "fence-wait",
    fault: /the singleton runs on n\d and n\d$/,
    rule: "a singleton never runs twice after its fence",
    run: loseHolder,
  },
  {
    breakage: "assignment",
    fault: /^runs .*, wanted /,
    rule: "nothing assigned is lost",
    run: (world) => world.want(4),
  },
  {
    breakage: "stop",
    fault: /^runs .*, assigned /,
    rule: "nothing runs outside of its assignment",
    run: (world) => world.want(1),
  },
  {
    breakage: "decision",
    fault: /without a decision$/,
    rule: "every act has a decision",
    run: (world) => world.want(4),
  },
];

/** All that is said in such a course, and in the peace after it. */
async function follow(course: Course, breakage?: Breakage): Promise<readonly string[]> {
  const world = createWorld(1, 3, breakage);
  await world.pass(START_MS);
  await world.want(3);
  await world.pass(START_MS);
  await course.run(world);
  await world.pass(PEACE_MS);
  const faults = [...listFaults(world), ...(await listUnsettled(world))];
  world.end();
  return faults;
}

for (const course of COURSES)
  test(`${course.rule}: that is seen when ${course.breakage} is broken`, async () => {
    assert.deepEqual(await follow(course), []);
    const faults = await follow(course, course.breakage);
    assert.ok(
      faults.some((fault) => course.fault.test(fault)),
      faults.join("\n") || "nothing was seen",
    );
  });
