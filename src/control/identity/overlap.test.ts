// SPDX-License-Identifier: Apache-2.0
// For how long an authority is believed after the next one was made: at a real port of a node, by the node's own clock.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { silentLogger } from "#base/logger.ts";
import type { Fleet } from "#control/fleet.ts";
import { NODE_CERTIFICATES, NODES } from "#control/roll-entries.ts";
import { issueCredential, makeKey } from "#identity/authority.ts";
import { nodeUri } from "#identity/verify.ts";
import { readSigningAuthority } from "#lab/play-node.ts";
import { showWhenAsking } from "#lab/show-certificate.ts";
import type { PeerCredentials } from "#peering/peering.ts";
import { startPeering } from "#peering/start-peering.ts";
import { openStore } from "#store/open.ts";
import type { Store } from "#store/store.ts";
import { systemClock } from "#store/testing/system-clock.ts";
import { turnFleetAuthority } from "./identity-acts.ts";
import { createIdentityKeeper } from "./keep-identity.ts";

const MINUTE_MS = 60_000;
const PATIENCE_MS = 20_000;
let aheadMs = 0;
/** The machine's time, and as much more as the test says; who sleeps, sleeps shorter. */
const clock = {
  ...systemClock,
  nowMs: () => systemClock.nowMs() + aheadMs,
  sleep: (delayMs: number, signal?: AbortSignal) => systemClock.sleep(delayMs / 50, signal),
};

function createFleet(store: Store): Fleet {
  return {
    name: "harbour",
    openStore: async () => ({ ...store, [Symbol.asyncDispose]: () => Promise.resolve() }),
    makeKey: () => Buffer.alloc(32, 5).toString("base64"),
    describeAccess: async () => ({ endpoints: [] }),
    startMembership: () => Promise.reject(new Error("no membership here")),
    knock: () => Promise.reject(new Error("nobody joins here")),
  };
}

/** Resolves when something else is in force and that holds. */
async function awaitForce(of: PeerCredentials, holds: () => boolean): Promise<void> {
  const changes = new EventTarget();
  const stop = of.onChange(() => changes.dispatchEvent(new Event("change")));
  while (!holds()) await once(changes, "change", { signal: AbortSignal.timeout(PATIENCE_MS) });
  stop();
}

test("an authority that was changed is believed until all that it signed has run out, and not at all after", async () => {
  await using store = await openStore({ kind: "memory" }, { clock });
  const fleet = createFleet(store);
  await store.transact([{ kind: "put", key: `${NODES}node-a`, value: {} }]);
  const stopping = new AbortController();
  const self = { id: "node-a", name: "node-a" };
  const keeper = createIdentityKeeper({ fleet, self, clock, logger: silentLogger });
  const running = keeper.run(stopping.signal);
  const credentials = await keeper.ready(stopping.signal);
  await using peering = await startPeering({ address: "127.0.0.1", port: 0, credentials });
  peering.answer("/", async () => ({ kind: "value", value: 1 }));
  const first = credentials.read().certificate;

  // Another node, whose certificate the old authority has signed. OpenSSL looks at the machine's clock, not at the test's.
  const [uri, key] = [nodeUri("harbour", "node-b"), await makeKey()];
  const old = await readSigningAuthority(store);
  const { certificate, serial, keyHash, notAfterMs } = await issueCredential(old, {
    uri,
    key,
    nowMs: Date.now(),
  });
  const value = { name: "node-b", uri, serial, keyHash, notAfterMs };
  await store.transact([{ kind: "put", key: `${NODE_CERTIFICATES}node-b`, value }]);
  const ask = () => showWhenAsking(peering, "/", { chain: [certificate], key });
  assert.equal(await ask(), undefined);

  const rootCount = (): number => credentials.read().authorities.length;
  await turnFleetAuthority(store, fleet, { nowMs: clock.nowMs(), by: "a test" });
  await awaitForce(credentials, () => credentials.read().certificate !== first);
  assert.deepEqual([await ask(), rootCount()], [undefined, 2]);

  // The node has just renewed its own, so that only the end of the old authority is still to come.
  const second = credentials.read().certificate;
  aheadMs = 115 * MINUTE_MS;
  await awaitForce(credentials, () => credentials.read().certificate !== second);
  assert.deepEqual([await ask(), rootCount()], [undefined, 2]);

  const isTold = awaitForce(credentials, () => aheadMs > 120 * MINUTE_MS && rootCount() === 1);
  aheadMs = 121 * MINUTE_MS;
  await isTold;
  assert.match((await ask()) ?? "was answered", /alert|ECONNRESET|hang up/);
  stopping.abort();
  await running;
});
