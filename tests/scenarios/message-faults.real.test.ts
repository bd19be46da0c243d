// SPDX-License-Identifier: Apache-2.0
// M01 to M03: senders, receivers and the node are killed with -9, and the way to the node stops passing bytes, while
// acknowledged messages flow. FAIRLEAD_MESSAGES sets how many (default 20,000), FAIRLEAD_SEED what dies when.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { FabricError, join } from "@fairlead/sdk";
import { until } from "#lab/rig.ts";
import { createSeededRandom } from "#store/testing/seeded-random.ts";
import { openBareNode, type BareNode } from "./bare-node.ts";
import { judgeHistory } from "./message-history.ts";
import { openStallingRelay } from "./stalling-relay.ts";

const MESSAGES = Number(process.env["FAIRLEAD_MESSAGES"] ?? 20_000);
/** Senders are ahead of receivers: what is left when all is sent takes about as long again. */
const HANDLED_MAX_MS = 120_000 + MESSAGES;
const SEED = Number(process.env["FAIRLEAD_SEED"] ?? 20_261_127);
const SENDERS = ["s", "t"] as const;
const RECEIVERS = ["r", "q"] as const;
const KEYS = 50;
const EACH = Math.ceil(MESSAGES / SENDERS.length / KEYS);
const TOTAL = EACH * KEYS * SENDERS.length;
const KILLS = Math.max(12, Math.round(TOTAL / 10_000));
const SENDER = fileURLToPath(new URL("programs/message-sender.ts", import.meta.url));
const RECEIVER = fileURLToPath(new URL("programs/message-receiver.ts", import.meta.url));

let bare: BareNode;
let node: string;

before(async () => {
  bare = await openBareNode();
  node = `unix:${bare.fabricSocket}`;
});
after(() => bare[Symbol.asyncDispose]());

function readLines(path: string): readonly string[] {
  // The last line may have been cut short by a kill; the one before it never is.
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
}

/** A program that is started again when it was killed. */
class Victim {
  readonly #start: () => ChildProcess;
  readonly #onLine: (line: string) => void;
  #child: ChildProcess;

  constructor(program: string, args: readonly string[], onLine: (line: string) => void) {
    this.#onLine = onLine;
    this.#start = () =>
      spawn(process.execPath, [program, ...args], {
        stdio: ["ignore", "pipe", "inherit"],
      });
    this.#child = this.#run();
  }

  #run(): ChildProcess {
    const child = this.#start();
    child.once("exit", (code) => {
      if (code !== null && code !== 0) this.#onLine(`ended ${code}`);
    });
    if (child.stdout !== null) createInterface({ input: child.stdout }).on("line", this.#onLine);
    return child;
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  get code(): number | null {
    return this.#child.exitCode;
  }

  async end(): Promise<void> {
    if (this.ended) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  async killAndRestart(): Promise<void> {
    if (this.code !== null) return;
    await this.end();
    this.#child = this.#run();
  }
}

/** Messages that no receiver has acknowledged. */
async function countWaiting(): Promise<number> {
  const { body } = await bare.ask<{ items: { waiting: number; inFlight: number }[] }>(
    "queues?scope=flow",
  );
  return body.items.reduce((sum, queue) => sum + queue.waiting + queue.inFlight, 0);
}

test(`${TOTAL} messages with ${KILLS} kills of senders, receivers and node: none lost, order kept, seed ${SEED}`, async (t) => {
  const random = createSeededRandom(SEED);
  const handled = joinPath(bare.directory, "handled");
  const confirmed = (name: string): string => joinPath(bare.directory, `confirmed-${name}`);
  const subscribed = Promise.withResolvers<void>();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const receivers = RECEIVERS.map(
    (name) =>
      new Victim(RECEIVER, [node, name, handled], (line) => {
        if (line === "subscribed") subscribed.resolve();
        else failed.reject(new Error(`receiver ${name}: ${line}`));
      }),
  );
  await subscribed.promise;
  const beganMs = performance.now();
  const progress = new Map<string, number>();
  let wake = (): void => undefined;
  const awaitProgress = (): Promise<void> =>
    Promise.race([failed.promise, new Promise<void>((resolve) => (wake = resolve))]);
  const senders = SENDERS.map(
    (name) =>
      new Victim(SENDER, [node, name, String(KEYS), String(EACH), confirmed(name)], (line) => {
        const [word, number] = line.split(" ");
        if (word === "confirmed") progress.set(name, Number(number));
        else failed.reject(new Error(`sender ${name}: ${line}`));
        wake();
      }),
  );
  try {
    const points = Array.from({ length: KILLS }, () => Math.floor(random() * TOTAL * 0.98));
    const kills = { node: 0, sender: 0, receiver: 0 };
    const sum = (): number => [...progress.values()].reduce((one, other) => one + other, 0);
    for (const point of points.toSorted((a, b) => a - b)) {
      while (sum() < point) await awaitProgress();
      const drawn = random();
      const index = Math.floor(random() * 2);
      if (drawn < 1 / 3) {
        kills.node++;
        await bare.killAndRestart();
      } else if (drawn < 2 / 3) {
        kills.sender++;
        await senders[index]?.killAndRestart();
      } else {
        kills.receiver++;
        await receivers[index]?.killAndRestart();
      }
    }
    while (sum() < TOTAL) await awaitProgress();
    const sentMs = performance.now() - beganMs;
    await until("all is handled", HANDLED_MAX_MS, async () => (await countWaiting()) === 0, 100);
    const tookMs = performance.now() - beganMs;
    const verdict = judgeHistory(
      SENDERS.flatMap((name) => readLines(confirmed(name))),
      readLines(handled),
      EACH,
    );
    const { again, ...rest } = verdict;
    const faults = { lost: [], strange: [], disordered: [], uncounted: [] };
    assert.deepEqual(rest, { confirmed: TOTAL, handled: TOTAL, ...faults });
    t.diagnostic(
      `${TOTAL} in ${(tookMs / 1_000).toFixed(1)} s (sent in ${(sentMs / 1_000).toFixed(1)} s), ` +
        `kills ${JSON.stringify(kills)}, ${again} handled again`,
    );
  } finally {
    await Promise.all([...senders, ...receivers].map((victim) => victim.end()));
  }
});

test("a receiver that dies between its work and its acknowledgement: another is given the message, which says so", async () => {
  const handled = joinPath(bare.directory, "handled-once");
  await using agent = await join({ name: "one", scope: "flow", node });
  const subscribed = Promise.withResolvers<void>();
  const first = new Victim(RECEIVER, [node, "first", handled, "m-1"], () => subscribed.resolve());
  await subscribed.promise;
  const again = Promise.withResolvers<number>();
  try {
    for (const number of [0, 1, 2])
      await agent.publish("flow.b", { key: "m", number }, { key: "m", dedupe: `m-${number}` });
    await until("the receiver has died", 20_000, () => first.ended);
    await agent.on<{ number: number }>(
      "flow.*",
      ({ data, attempt }) => {
        if (data.number === 2) again.resolve(attempt);
        else assert.deepEqual([data.number, attempt], [1, 2]);
      },
      { group: "sinks" },
    );
    assert.equal(await again.promise, 1);
  } finally {
    await first.end();
  }
  assert.deepEqual(readLines(handled), ["m 0 1", "m 1 1"]);
  const repeated = await agent.publish("flow.b", { key: "m", number: 1 }, { dedupe: "m-1" });
  assert.equal(repeated.duplicate, true);
});

test("a way to the node that stops passing bytes: each publish ends in its time, and what was confirmed is there", async (t) => {
  const random = createSeededRandom(SEED);
  await using relay = await openStallingRelay(
    joinPath(bare.directory, "relay.sock"),
    bare.fabricSocket,
  );
  await using far = await join({ name: "far", scope: "cut", node: `unix:${relay.path}` });
  await using near = await join({ name: "near", scope: "cut", node });
  const present = new Set<number>();
  await near.on<number>("cut.*", ({ data }) => void present.add(data), { concurrency: 8 });
  const outcomes = { confirmed: new Set<number>(), unknown: 0, notSent: new Set<number>() };
  const timeoutMs = 1_000;
  let number = 0;
  let slowestMs = 0;
  const publish = async (): Promise<void> => {
    const own = number++;
    const beganMs = performance.now();
    try {
      await far.publish("cut.a", own, { timeout: timeoutMs });
      outcomes.confirmed.add(own);
    } catch (thrown) {
      const { code, reason } = FabricError.from(thrown);
      assert.equal(code, "deadline_exceeded");
      if (reason === "not-sent") outcomes.notSent.add(own);
      else outcomes.unknown++;
    }
    slowestMs = Math.max(slowestMs, performance.now() - beganMs);
  };
  for (let round = 0; round < 6; round++) {
    const open = Array.from({ length: 40 }, publish);
    await Promise.race(open);
    const more = Math.floor(random() * 60);
    for (let count = 0; count < more; count++) open.push(publish());
    relay.stall();
    for (let count = 0; count < 40; count++) open.push(publish());
    await Promise.all(open);
    // Every other time what was under way is lost for good.
    if (round % 2 === 0) relay.resume();
    else relay.reset();
    await far.publish("cut.a", number++, { timeout: "20s" }).then(() => undefined);
  }
  const last = number++;
  await far.publish("cut.a", last, { timeout: "20s" });
  await until("the last one is there", 20_000, () => present.has(last));
  const absent = [...outcomes.confirmed].filter((one) => !present.has(one));
  const uncalled = [...outcomes.notSent].filter((one) => present.has(one));
  assert.deepEqual([absent, uncalled], [[], []]);
  assert.ok(outcomes.confirmed.size > 0 && outcomes.unknown > 0, JSON.stringify(outcomes));
  t.diagnostic(
    `${outcomes.confirmed.size} confirmed, ${outcomes.unknown} unknown, ${outcomes.notSent.size} not sent; ` +
      `the slowest ended after ${slowestMs.toFixed(0)} ms of ${timeoutMs}`,
  );
});
