// SPDX-License-Identifier: Apache-2.0
// The conformance suite on a real etcd. Time passes as it does: the rules of leases really wait.
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startEtcd, type EtcdCluster } from "#lab/etcd.ts";
import { storeConformance } from "#store/store-conformance.ts";
import { systemClock } from "#store/testing/system-clock.ts";
import { openEtcdStore } from "./driver.ts";

const kept = "etcd keeps its whole history until somebody compacts it";

let cluster: Promise<EtcdCluster> | undefined;
let count = 0;
after(async () => (await cluster)?.[Symbol.asyncDispose]());

storeConformance("etcd", {
  capabilities: { reopen: true },
  skip: {
    "a watcher that fell behind a bounded history is told so": `${kept}; compaction has a test of its own`,
    "a watch goes on from the newest revision and lagged from an older one": kept,
  },
  async create() {
    const { endpoints } = await (cluster ??= startEtcd());
    const options = { endpoints, prefix: `/conformance/${count++}/` };
    let store = await openEtcdStore(options, { clock: systemClock });
    return {
      get store() {
        return store;
      },
      // It looks for leases that ran out twice a second.
      expiryLagMs: 900,
      elapse: (ms) => sleep(ms),
      jumpWallClock: () => undefined,
      async reopen() {
        await store[Symbol.asyncDispose]();
        store = await openEtcdStore(options, { clock: systemClock });
      },
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    };
  },
});
