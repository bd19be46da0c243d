// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { guardConformance } from "#guard/guard-conformance.ts";
import type { Arrival } from "#guard/guard.ts";
import { asGuest, makeOrder } from "#guard/testing/ground.ts";
import { until } from "#lab/rig.ts";
import { createNetfilter } from "#netfilter/netfilter.ts";
import { createNftablesGuard } from "./driver.ts";

const PATIENCE_MS = 10_000;

guardConformance("nftables", {
  open: (netns) => createNftablesGuard({ netfilter: createNetfilter(), netns }),
  spoil: ({ inside }) => void inside("nft", "flush", "ruleset"),
  list: (run) =>
    run("nft", "list", "tables")
      .split("\n")
      .filter((line) => line.includes("fairlead")),
  more: {
    async "what is taken away on the host is told, and made again"({ ground, guard, web, friend }) {
      const order = makeOrder([asGuest(web), asGuest(friend)]);
      await guard.gate(order);
      const stop = new AbortController();
      const told: string[] = [];
      const watch = (async () => {
        for await (const tables of guard.watchLosses?.(stop.signal) ?? []) told.push(...tables);
      })();
      // Of what goes before it watches nobody is told.
      await until("it is told", PATIENCE_MS, async () => {
        ground.onHost("nft", "add table inet others; flush ruleset");
        assert.equal((await guard.gate(order)).protection, "drifted");
        return told.length > 0;
      });
      assert.deepEqual([...new Set(told)], ["fairlead"]);
      stop.abort();
      await watch;
    },
    async "the first process of an instance is found while it is being made"({ ground, guard }) {
      const stop = new AbortController();
      const wait = async (id: string, addresses: readonly string[]): Promise<Arrival[]> => {
        const all: Arrival[] = [];
        for await (const one of guard.awaitStart?.(id, addresses, stop.signal) ?? []) all.push(one);
        return all;
      };
      const found = wait(ground.idOf("young"), ["10.66.0.5", "fd66::5"]);
      // These have a process, and never such an address; and the other way round.
      const others = Promise.all([
        wait(ground.idOf("young"), ["10.66.0.55"]),
        wait(ground.idOf("nobody"), ["10.66.0.5"]),
      ]);
      const young = await ground.start("young", 5, { isApart: true });
      const last = (await found).at(-1);
      const path = `/proc/${young.pid}/task/${young.pid}/children`;
      assert.deepEqual(last, { pid: Number(readFileSync(path, "utf8")), isConnected: true });
      stop.abort();
      assert.deepEqual(await others, [[{ pid: last?.pid, isConnected: false }], []]);
      await ground.stop(young);
    },
  },
});
