// SPDX-License-Identifier: Apache-2.0
// An authority that the owner has put into files, for a node by itself and in a fleet where another node has none.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { isKind } from "#base/errors.ts";
import { silentLogger } from "#base/logger.ts";
import type { Fleet } from "#control/fleet.ts";
import { NODES } from "#control/roll-entries.ts";
import { identityErrors } from "#identity/errors.ts";
import { makeAuthority } from "#lab/certificates.ts";
import { openStore } from "#store/open.ts";
import type { Store } from "#store/store.ts";
import { systemClock } from "#store/testing/system-clock.ts";
import { openGivenAuthority, toOwnAuthority, type GivenAuthority } from "./given-authority.ts";
import { createIdentityKeeper } from "./keep-identity.ts";

/** The machine's time; who sleeps, sleeps shorter. */
const clock = {
  ...systemClock,
  sleep: (delayMs: number, signal?: AbortSignal) => systemClock.sleep(delayMs / 50, signal),
};
const logger = silentLogger;
let directory: string;
let given: GivenAuthority;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fairlead-given-"));
  const { cert: certFile, key: keyFile } = makeAuthority(directory, "owners");
  given = openGivenAuthority({ files: { certFile, keyFile, caFile: "" }, clock, logger });
});
afterEach(() => rmSync(directory, { recursive: true }));

test("it signs for a node by itself, is followed when its files change, and no other is made", async () => {
  const own = toOwnAuthority(given, "Host7");
  const { authority, believed } = await own.issuer.need();
  assert.match(new X509Certificate(authority.certificate).subject, /owners/);
  assert.deepEqual(believed, [authority.certificate]);
  await assert.rejects(own.turn("a test"), (thrown) =>
    isKind(thrown, identityErrors["authority-given"]),
  );
  const stopping = new AbortController();
  const running = own.run(stopping.signal);
  const changed = new Promise<void>((resolve) => void own.issuer.onChange(resolve));
  const next = makeAuthority(directory, "next");
  // Half of a pair is not taken.
  cpSync(next.cert, given.files.certFile);
  assert.equal(own.issuer.read()?.authority.certificate, authority.certificate);
  cpSync(next.key, given.files.keyFile);
  await changed;
  assert.match(new X509Certificate(own.issuer.read()?.authority.certificate ?? "").subject, /next/);
  stopping.abort();
  await running;
});

/** A fleet over one store that stays open. */
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

test("in a fleet a node that has one and a node that has none believe each other", async () => {
  await using store = await openStore({ kind: "memory" }, { clock });
  const fleet = createFleet(store);
  const stopping = new AbortController();
  const start = async (id: string, by: GivenAuthority | undefined) => {
    await store.transact([{ kind: "put", key: NODES + id, value: {} }]);
    const keeper = createIdentityKeeper({
      fleet,
      self: { id, name: id },
      given: by,
      clock,
      logger,
    });
    const running = keeper.run(stopping.signal);
    return { keeper, running, credentials: await keeper.ready(stopping.signal) };
  };
  const plain = await start("node-a", undefined);
  const owned = await start("node-b", given);
  const leafOf = ({ credentials }: typeof plain) =>
    new X509Certificate(credentials.read().certificate);
  assert.ok(leafOf(owned).issuer.includes("owners"));
  assert.ok(leafOf(plain).issuer.includes("harbour authority"));
  const [root = ""] = given.read().roots;
  const isThere = () => plain.credentials.read().authorities.includes(root);
  while (!isThere()) await clock.sleep(500);
  assert.ok(owned.credentials.read().authorities.length === 2, "the fleet's own is in use still");
  assert.equal(await plain.credentials.identify(leafOf(owned)), "node-b");
  assert.equal(await owned.credentials.identify(leafOf(plain)), "node-a");
  assert.match(
    new X509Certificate((await owned.keeper.issuer.need()).authority.certificate).subject,
    /owners/,
  );
  stopping.abort();
  await Promise.all([plain.running, owned.running]);
});
