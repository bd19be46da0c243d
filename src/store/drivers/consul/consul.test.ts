// SPDX-License-Identifier: Apache-2.0
// What the driver for Consul does when agents die, hang, refuse, limit and forget; on a stand-in that speaks Consul's HTTP API.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { baseErrors, isKind, type ErrorKind } from "#base/errors.ts";
import { issueCertificate, makeAuthority } from "#lab/certificates.ts";
import { storeErrors } from "#store/errors.ts";
import type { StoreChange } from "#store/store.ts";
import { createConsulStandIn, type StandInOptions } from "#store/testing/consul-stand-in/serve.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { listKeys, put, remove, takeChanges } from "#store/testing/rule.ts";
import { systemClock as clock } from "#store/testing/system-clock.ts";
import { openConsulStore, type ConsulStoreOptions } from "./driver.ts";

const is = (kind: ErrorKind) => (thrown: unknown) => isKind(thrown, kind);

/** A stand-in, its addresses, and a store on them. */
async function open(
  { doors: count = 1, ...options }: Partial<StandInOptions> & { readonly doors?: number } = {},
  store: Partial<ConsulStoreOptions> = {},
) {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(createConsulStandIn({ clock, ...options }));
  const doors = await Promise.all(Array.from({ length: count }, () => server.open()));
  const endpoints = doors.map(({ endpoint }) => endpoint);
  const opened = stack.use(
    await openConsulStore({ endpoints, attemptTimeoutMs: 300, ...store }, { clock }),
  );
  const owned = stack.move();
  return {
    server,
    doors,
    endpoints,
    store: opened,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Takes a watch in until `isEnough`; the newest value of each key, undefined once it is deleted. */
async function follow(
  watching: AsyncIterable<readonly StoreChange[]>,
  isEnough: (seen: ReadonlyMap<string, unknown>) => boolean,
): Promise<ReadonlyMap<string, unknown>> {
  const seen = new Map<string, unknown>();
  let newest = 0;
  for await (const changes of watching) {
    for (const { key, value, revision } of changes) {
      assert.ok(revision >= newest, "in order");
      newest = revision;
      seen.set(key, value);
    }
    if (isEnough(seen)) return seen;
  }
  return seen;
}

test("of changes that came quickly a watch sees the last of each key, deletions too", async () => {
  await using place = await open();
  const { store } = place;
  const { revision } = await store.list("");
  const { signal } = new AbortController();
  const following = follow(store.watch("n/", revision, { signal }), (seen) => seen.has("n/end"));
  for (let turn = 0; turn < 50; turn++) {
    await store.transact([put("n/a", turn), put(`n/${turn}`, turn), put("other", turn)]);
    await store.transact([remove(`n/${turn}`)]);
  }
  await store.transact([put("n/end", 0)]);
  const seen = await following;
  assert.equal(seen.get("n/a"), 49);
  const left = [...seen].filter(([, value]) => value !== undefined).map(([key]) => key);
  assert.deepEqual(left.toSorted(), ["n/a", "n/end"]);
});

test("a transaction is watched whole, also where it puts and deletes", async () => {
  await using place = await open();
  const { store } = place;
  const from = (await store.transact([put("p/1", 1), put("p/2", 1)])) ?? 0;
  const revision = await store.transact([put("p/2", 2), remove("p/1"), put("q", 1)]);
  assert.deepEqual(await takeChanges(store, "p/", from, 1), [
    [
      { kind: "put", key: "p/2", value: 2, revision },
      { kind: "delete", key: "p/1", revision },
    ],
  ]);
});

test("what was deleted long ago is forgotten by Consul, and no watch breaks of it", async () => {
  await using place = await open();
  const { store, server } = place;
  await store.transact([put("a", 1)]);
  await store.transact([put("b", 1)]);
  const { id } = await store.grantLease(20_000);
  await store.transact([put("c", 1, id)]);
  await store.revokeLease(id);
  const { revision } = await store.list("");
  const { signal } = new AbortController();
  const watching = store.watch("", revision, { signal })[Symbol.asyncIterator]();
  const index = server.state.list("fairlead/").index;
  server.state.reapTombstones();
  assert.ok(server.state.list("fairlead/").index < index, "its index goes back");
  const next = watching.next();
  await store.transact([put("a", 2)]);
  const { value = [] } = await next;
  // The deletion may come first: the list was of before, or of after it.
  const changes = value?.[0]?.key === "c" ? (await watching.next()).value : value;
  assert.equal(changes?.[0]?.value, 2);
  await watching.return?.();
});

test("a Consul that lost everything: who watches is told so, and goes on with what there is", async () => {
  await using place = await open();
  const { store, server, doors } = place;
  for (const value of [1, 2, 3]) await store.transact([put("a", value)]);
  const { revision } = await store.list("");
  const watching = assert.rejects(
    takeChanges(store, "", revision, 1),
    is(storeErrors["store-lagged"]),
  );
  server.state.wipe();
  // The connection breaks, as with a server that is started anew.
  doors[0]?.hang(true);
  await assert.rejects(store.get("a"), is(storeErrors["store-unavailable"]));
  doors[0]?.hang(false);
  await watching;
  const anew = await store.list("");
  assert.ok(anew.revision < revision);
  const taken = takeChanges(store, "", anew.revision, 1);
  await store.transact([put("a", 4)]);
  assert.equal((await taken)[0]?.[0]?.value, 4);
});

test("an agent that is gone, or hangs, is left for another; a watch goes on there", async () => {
  await using place = await open({ doors: 3 });
  const { store, doors } = place;
  await store.transact([put("n", 0)]);
  const { revision } = await store.list("");
  const { signal } = new AbortController();
  const following = follow(store.watch("n", revision, { signal }), (seen) => seen.get("n") === 3);
  await doors[0]?.shut();
  assert.equal((await store.get("n"))?.value, 0);
  await store.transact([put("n", 1)]);
  doors[1]?.hang(true);
  // What was sent and not answered may have been done: it is not sent twice.
  await assert.rejects(store.transact([put("n", 2)]), is(storeErrors["store-unavailable"]));
  assert.equal((await store.get("n"))?.value, 1);
  await store.transact([put("n", 3)]);
  await following;
  doors[1]?.hang(false);
});

test("no agent at all: the error names the addresses and what to run", async () => {
  const endpoints = ["127.0.0.1:1", "127.0.0.1:2"];
  await assert.rejects(openConsulStore({ endpoints }, { clock }), (thrown) => {
    assert.ok(isKind(thrown, storeErrors["store-unavailable"]));
    assert.equal(thrown.facts["endpoints"], "127.0.0.1:1, 127.0.0.1:2");
    assert.match(thrown.remedy, /curl http:\/\/127.0.0.1:1\/v1\/status\/leader/);
    return true;
  });
});

test("without a token, or with a wrong one, nothing looks empty: it is refused", async () => {
  await using place = await open({ token: "right" }, { token: "right" });
  await place.store.transact([put("a", 1)]);
  const { endpoints } = place;
  for (const token of [undefined, "wrong"])
    await assert.rejects(
      openConsulStore({ endpoints, ...(token && { token }) }, { clock }),
      (thrown) => {
        assert.ok(isKind(thrown, storeErrors["store-refused"]), String(thrown));
        assert.match(thrown.remedy, /key_prefix/);
        assert.doesNotMatch(JSON.stringify(thrown), /wrong/);
        return true;
      },
    );
});

test("more than Consul takes at once is told with what to do; what surely goes goes", async () => {
  await using place = await open();
  const { store } = place;
  const puts = (count: number) => Array.from({ length: count }, (_, n) => put(`k/${n}`, n));
  const limit = (thrown: unknown): boolean => {
    assert.ok(isKind(thrown, storeErrors["store-limit"]), String(thrown));
    assert.match(thrown.remedy, /kv_max_value_size/);
    return true;
  };
  await assert.rejects(store.transact(puts(65)), limit);
  await assert.rejects(store.transact([put("large", "x".repeat(600_000))]), limit);
  assert.deepEqual(await listKeys(store), [], "nothing of it was done");
  const conditions = [{ key: "none", revision: 0 }];
  assert.ok((await store.transact(puts(store.operationsMax), conditions)) !== undefined);
  assert.equal((await listKeys(store)).length, store.operationsMax);
});

test("leases are as long as Consul grants: 20 s where 2 s were asked for", async () => {
  const time = createManualClock();
  await using place = await open({ clock: time });
  const { store } = place;
  const lease = await store.grantLease(2_000);
  assert.equal(lease.ttlMs, 20_000);
  await store.transact([put("a", 1, lease.id)]);
  await time.advance(19_000);
  assert.deepEqual(await listKeys(store), ["a"]);
  await time.advance(1_001);
  assert.deepEqual(await listKeys(store), []);
  // No delay of locks keeps others away from the key.
  const next = await store.grantLease(60_000);
  assert.equal(next.ttlMs, 60_000);
  assert.ok(await store.transact([put("a", 2, next.id)]));
});

test("a lease of a day is granted, though Consul takes no session that is made for longer", async () => {
  await using place = await open();
  const lease = await place.store.grantLease(86_400_000);
  assert.equal(lease.ttlMs, 86_400_000);
  assert.ok(await place.store.renewLease(lease.id));
  // As it says so itself.
  const { endpoint } = await place.server.open();
  const create = (body: object) =>
    fetch(`http://${endpoint}/v1/session/create`, { method: "PUT", body: JSON.stringify(body) });
  assert.equal((await create({ TTL: "86401s" })).status, 500);
  assert.equal((await create({ TTL: "20s", LockDelay: "61s" })).status, 400);
  assert.equal((await create({ TTL: "20s", Behavior: "keep" })).status, 400);
});

test("a key goes from one lease to another, and to none", async () => {
  await using place = await open();
  const { store } = place;
  const [one, two] = [await store.grantLease(20_000), await store.grantLease(20_000)];
  await store.transact([put("a", 1, one.id), put("b", 1, one.id)]);
  const revision = (await store.transact([put("a", 1, two.id)])) ?? 0;
  assert.ok((await store.transact([put("b", 1)], [{ key: "a", revision }])) ?? 0 > revision);
  await store.revokeLease(one.id);
  assert.deepEqual(await listKeys(store), ["a", "b"]);
  await store.revokeLease(two.id);
  assert.deepEqual(await listKeys(store), ["b"]);
});

test("a prefix that Consul cannot have is refused before anything is asked", async () => {
  for (const prefix of ["", "/", "a b/", "a//b", "../a/"]) {
    const opening = openConsulStore({ endpoints: ["127.0.0.1:1"], prefix }, { clock });
    await assert.rejects(opening, is(baseErrors["invalid-argument"]), prefix);
  }
});

/** A server of OpenSSL, which says why it takes no certificate, as Consul does and a server of Node does not. */
async function startStrictServer(files: { ca: string; cert: string; key: string }) {
  const trust = ["-CAfile", files.ca, "-cert", files.cert, "-key", files.key];
  const strict = ["-Verify", "1", "-verify_return_error", "-www"];
  const args = ["s_server", "-accept", "127.0.0.1:0", ...trust, ...strict];
  const child = spawn("openssl", args, { stdio: ["ignore", "pipe", "ignore"] });
  let said = "";
  for await (const piece of child.stdout) {
    said += String(piece);
    if (/ACCEPT \S+:\d+/.test(said)) break;
  }
  const port = /ACCEPT \S+:(\d+)/.exec(said)?.[1];
  return {
    endpoint: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

const directory = mkdtempSync(join(tmpdir(), "fairlead-consul-tls-"));
after(() => rmSync(directory, { recursive: true }));

test("mutual TLS: with the right certificates it works, with wrong ones it says so", async () => {
  const authority = makeAuthority(directory, "ours");
  const other = makeAuthority(directory, "other");
  const read = ({ cert, key }: { cert: string; key: string }) => ({
    cert: readFileSync(cert),
    key: readFileSync(key),
  });
  const issue = (name: string, by: typeof authority, names: string) =>
    read(issueCertificate(directory, name, { authority: by, names: [names] }));
  const ca = readFileSync(authority.cert);
  const client = issue("client", authority, "IP:127.0.0.1");
  const tls = { ...issue("agent", authority, "IP:127.0.0.1"), clientCa: ca };
  await using place = await open({ tls }, { tls: { ca, ...client } });
  await place.store.transact([put("a", 1)]);
  assert.equal((await place.store.get("a"))?.value, 1);
  const named = { authority, names: ["IP:192.0.2.1"] };
  await using elsewhere = createConsulStandIn({
    clock,
    tls: read(issueCertificate(directory, "elsewhere", named)),
  });
  const { endpoint } = await elsewhere.open();
  await using strict = await startStrictServer({
    ca: authority.cert,
    ...issueCertificate(directory, "strict", { authority, names: ["IP:127.0.0.1"] }),
  });
  const stranger = issue("stranger", other, "IP:127.0.0.1");
  const wrong = [
    { endpoints: place.endpoints, tls: { ca: readFileSync(other.cert), ...client } },
    { endpoints: [endpoint], tls: { ca } },
    { endpoints: [strict.endpoint], tls: { ca } },
    { endpoints: [strict.endpoint], tls: { ca, ...stranger } },
  ];
  for (const options of wrong)
    await assert.rejects(openConsulStore(options, { clock }), (thrown) => {
      assert.ok(isKind(thrown, storeErrors["store-untrusted"]), String(thrown));
      assert.match(thrown.remedy, /store\.caFile/);
      return true;
    });
});
