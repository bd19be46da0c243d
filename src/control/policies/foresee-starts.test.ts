// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { buildInstance } from "#brain/testing/builders.ts";
import type { BoardChange } from "#control/facts-board.ts";
import type { EngineEvent } from "#engine/engine.ts";
import type { Arrival } from "#guard/guard.ts";
import type { Facts, InstanceFact } from "#model/facts.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { foreseeStarts } from "./foresee-starts.ts";

const at = (address: string) => ({ shop: { mac: "02:42:ac:12:00:02", addresses: [address] } });
const { pid: _pid, ...plain } = buildInstance({ id: "web-1", scope: "shop" });
/** As the engine lists it while it is starting it. */
const coming: InstanceFact = { ...plain, state: "created", endpoints: at("172.18.0.2") };
const told = { ...coming, state: "running" as const, pid: 7 };

const network = (action: string, container: string): EngineEvent => ({
  type: "network",
  action,
  id: "n1",
  attributes: { container, name: "shop" },
  timeNs: 1n,
});
const container = (action: string): EngineEvent => ({
  type: "container",
  action,
  id: "web-1",
  attributes: {},
  timeNs: 2n,
});

function startForesight({ isWanted = true } = {}) {
  const clock = createManualClock();
  const heard = new Set<(change: BoardChange) => void>();
  let instances: readonly InstanceFact[] = [];
  let listed: InstanceFact | undefined = coming;
  const waits: {
    come(arrival: Arrival): Promise<void>;
    pid(found: number): Promise<void>;
    signal: AbortSignal;
  }[] = [];
  const board = foreseeStarts({
    board: {
      ready: true,
      read: () => ({ instances }) as Facts,
      onChange(listener) {
        heard.add(listener);
        return () => void heard.delete(listener);
      },
    },
    engine: { previewInstance: () => Promise.resolve(listed) },
    guard: {
      async *awaitStart(_id, _addresses, signal) {
        let next = Promise.withResolvers<Arrival>();
        const come = async (arrival: Arrival): Promise<void> => {
          next.resolve(arrival);
          await new Promise(setImmediate);
        };
        waits.push({ signal, come, pid: (pid) => come({ pid, isConnected: true }) });
        for (;;) {
          const arrival = await next.promise;
          next = Promise.withResolvers<Arrival>();
          yield arrival;
        }
      },
    },
    isWanted: () => isWanted,
    clock,
  });
  let rings = 0;
  board.onChange(() => rings++);
  return {
    board,
    clock,
    waits,
    see: (facts: readonly InstanceFact[]) => (instances = facts),
    list: (fact: InstanceFact | undefined) => (listed = fact),
    async tell(event: EngineEvent) {
      for (const listener of heard) listener({ scopes: new Set(), event });
      await new Promise(setImmediate);
    },
    /** Id, process and addresses of all that there are. */
    read: () =>
      board
        .read()
        .instances.map(({ id, pid, endpoints }) =>
          [id, pid, ...(endpoints?.["shop"]?.addresses ?? [])].join(" "),
        ),
    ringsOf: async (act: () => unknown) => {
      const before = rings;
      await act();
      return rings - before;
    },
  };
}

describe("an instance that is being started", () => {
  test("is there once its first process is, until the engine tells of it", async () => {
    const { tell, waits, read, see, ringsOf } = startForesight();
    await tell(network("connect", "web-1"));
    assert.deepEqual(read(), []);
    assert.equal(await ringsOf(() => waits[0]?.pid(7)), 1);
    assert.deepEqual(read(), ["web-1 7 172.18.0.2"]);
    see([told]);
    assert.deepEqual(read(), ["web-1 7 172.18.0.2"]);
    see([{ ...told, state: "exited", endpoints: {} }]);
    see([]);
    assert.deepEqual(read(), []);
  });

  test("is coming until it is on its networks", async () => {
    const { tell, waits, read, ringsOf, board } = startForesight();
    await tell(network("connect", "web-1"));
    for (const isConnected of [false, true]) {
      assert.equal(await ringsOf(() => waits[0]?.come({ pid: 7, isConnected })), 1);
      assert.deepEqual(read(), ["web-1 7 172.18.0.2"]);
      assert.deepEqual([...board.listComing()], isConnected ? [] : ["web-1"]);
    }
  });

  test("stands for what is still thought of its life before", async () => {
    const { tell, waits, read, see } = startForesight();
    see([{ ...told, pid: 6, endpoints: at("172.18.0.9") }]);
    await tell(network("connect", "web-1"));
    await waits[0]?.pid(7);
    assert.deepEqual(read(), ["web-1 7 172.18.0.2"]);
  });

  test("has its address alone, whoever had it before", async () => {
    const { tell, waits, read, see } = startForesight();
    const old = { ...told, id: "old", pid: 5 };
    see([old, { ...old, id: "other", endpoints: at("172.18.0.3") }]);
    await tell(network("connect", "web-1"));
    await waits[0]?.pid(7);
    assert.deepEqual(read(), ["old 5", "other 5 172.18.0.3", "web-1 7 172.18.0.2"]);
  });

  test("is gone when its start fails, and waited for no more", async () => {
    for (const event of [network("disconnect", "web-1"), container("die")]) {
      const { tell, waits, read, ringsOf } = startForesight();
      await tell(network("connect", "web-1"));
      await tell(event);
      assert.equal(waits[0]?.signal.aborted, true);
      await waits[0].pid(7);
      assert.deepEqual(read(), []);
      await tell(network("connect", "web-1"));
      await waits[1]?.pid(8);
      assert.deepEqual(read(), ["web-1 8 172.18.0.2"]);
      // One for what the engine told, one for what follows from it.
      assert.equal(await ringsOf(() => tell(event)), 2);
      assert.deepEqual(read(), []);
    }
  });

  test("is not looked for any more when the engine tells that it runs", async () => {
    const { tell, waits, read, board } = startForesight();
    await tell(network("connect", "web-1"));
    await waits[0]?.come({ pid: 7, isConnected: false });
    await tell(container("start"));
    assert.equal(board.listComing().size, 0);
    assert.equal(waits[0]?.signal.aborted, true);
    await waits[0].pid(8);
    // Until it has been read.
    assert.deepEqual(read(), ["web-1 7 172.18.0.2"]);
  });

  test("is gone when the engine never tells of it", async () => {
    const { tell, waits, read, clock } = startForesight();
    await tell(network("connect", "web-1"));
    await waits[0]?.pid(7);
    await clock.advance(30_001);
    assert.deepEqual(read(), []);
  });

  test("is looked for anew when it gets another network", async () => {
    const { tell, waits, read, list } = startForesight();
    await tell(network("connect", "web-1"));
    list({ ...coming, endpoints: at("172.18.0.4") });
    await tell(network("connect", "web-1"));
    await waits[1]?.pid(7);
    await waits[0]?.pid(6);
    assert.deepEqual(read(), ["web-1 7 172.18.0.4"]);
  });

  test("is not looked for without policies, when it runs already, or has the network of another", async () => {
    const idle = startForesight({ isWanted: false });
    await idle.tell(network("connect", "web-1"));
    const { tell, waits, list, board } = startForesight();
    for (const fact of [told, { ...coming, networkFrom: "other" }, { ...coming, endpoints: {} }]) {
      list(fact);
      await tell(network("connect", "web-1"));
    }
    list(undefined);
    await tell(network("connect", "web-1"));
    board[Symbol.dispose]();
    list(coming);
    await tell(network("connect", "web-1"));
    assert.equal(idle.waits.length + waits.length, 0);
  });
});
