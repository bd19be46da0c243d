// SPDX-License-Identifier: Apache-2.0
// Leading a fleet on a real etcd, whose clock is not ours.
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { leadershipRules } from "#control/testing/leadership-rules.ts";
import { startEtcd, type EtcdCluster } from "#lab/etcd.ts";
import { openStore } from "#store/open.ts";
import { systemClock } from "#store/testing/system-clock.ts";

const SESSION_MS = 2_000;

let cluster: Promise<EtcdCluster> | undefined;
let count = 0;
after(async () => (await cluster)?.[Symbol.asyncDispose]());

leadershipRules("etcd", async () => {
  const { endpoints } = await (cluster ??= startEtcd());
  const options = { kind: "etcd" as const, endpoints, prefix: `/leadership/${count++}/` };
  const store = await openStore(options, { clock: systemClock });
  return {
    store,
    clock: systemClock,
    sessionMs: SESSION_MS,
    elapse: () => sleep(50),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
});
