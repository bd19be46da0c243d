// SPDX-License-Identifier: Apache-2.0
// What the store on etcd does when members die, hang and come back, when etcd compacts, is full or refuses.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { isKind, type ErrorKind } from "#base/errors.ts";
import { issueCertificate, makeAuthority } from "#lab/certificates.ts";
import { startEtcd, type EtcdCluster } from "#lab/etcd.ts";
import { storeErrors } from "#store/errors.ts";
import { put, takeChanges } from "#store/testing/rule.ts";
import { systemClock as clock } from "#store/testing/system-clock.ts";
import { openEtcdStore } from "./driver.ts";

const is = (kind: ErrorKind) => (thrown: unknown) => isKind(thrown, kind);
const UNAVAILABLE = storeErrors["store-unavailable"];

/** A method of etcd's own gateway, for what the store never does. */
async function ask(cluster: EtcdCluster, path: string, body: object): Promise<void> {
  const answer = await fetch(`http://${cluster.endpoints[0]}/v3/${path}`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  assert.equal(answer.status, 200, await answer.text());
}

test("members killed and paused one after another: reads, writes and a watch go on", async () => {
  await using cluster = await startEtcd({ members: 3 });
  await using store = await openEtcdStore({ endpoints: cluster.endpoints }, { clock });
  const { revision } = await store.list("");
  const expected: number[] = [];
  const ending = new AbortController();
  const seen: unknown[] = [];
  const watching = (async () => {
    for await (const changes of store.watch("n", revision, { signal: ending.signal }))
      for (const { value } of changes) seen.push(value);
  })().catch((thrown: unknown) => thrown);
  let number = 0;
  /** Writes until one is acknowledged: one whose answer is lost may have been made, and is written again. */
  async function write(): Promise<void> {
    number++;
    for (;;) {
      try {
        await store.transact([put("n", number)]);
        expected.push(number);
        return;
      } catch (thrown) {
        assert.ok(isKind(thrown, UNAVAILABLE), String(thrown));
      }
    }
  }
  for (const member of cluster.members) {
    await write();
    await member.signal("SIGKILL");
    await write();
    assert.equal((await store.get("n"))?.value, number);
    await member.start();
    await member.signal("SIGSTOP");
    await write();
    assert.equal((await store.get("n"))?.value, number);
    await member.signal("SIGCONT");
  }
  await write();
  for (let turn = 0; turn < 200 && seen.at(-1) !== number; turn++) await clock.sleep(50);
  ending.abort();
  await watching;
  assert.deepEqual([...new Set(seen)], expected, "none is missed, the order is kept");
});

test("a watch on a cluster that lost everything meanwhile ends as lagged, instead of being silent", async () => {
  await using cluster = await startEtcd();
  await using store = await openEtcdStore({ endpoints: cluster.endpoints }, { clock });
  for (const number of [1, 2, 3]) await store.transact([put("n", number)]);
  const { revision } = await store.list("");
  const watching = takeChanges(store, "n", revision, 1);
  const ended = assert.rejects(watching, is(storeErrors["store-lagged"]));
  const [member] = cluster.members;
  await member?.signal("SIGKILL");
  member?.wipe();
  await member?.start();
  await ended;
});

test("a watch on a member that hangs goes on at another as soon as a call has found out", async () => {
  await using cluster = await startEtcd({ members: 3 });
  await using store = await openEtcdStore({ endpoints: cluster.endpoints }, { clock });
  const { revision } = await store.list("");
  let taken = false;
  const watching = takeChanges(store, "n", revision, 2).then(() => (taken = true));
  await store.transact([put("n", 1)]);
  await cluster.members[0]?.signal("SIGSTOP");
  const beganMs = performance.now();
  while ((await store.get("n").catch(() => undefined)) === undefined) await clock.sleep(50);
  while ((await store.transact([put("n", 2)]).catch(() => undefined)) === undefined);
  const wroteMs = performance.now();
  for (let turn = 0; turn < 400 && !taken; turn++) await clock.sleep(10);
  await cluster.members[0]?.signal("SIGCONT");
  await watching;
  const [found, seen] = [wroteMs - beganMs, performance.now() - wroteMs];
  assert.ok(taken && seen < 4_000, `written after ${found} ms, seen ${seen} ms later`);
});

test("without a majority it says that it is unavailable, and goes on when there is one again", async () => {
  await using cluster = await startEtcd({ members: 3 });
  await using store = await openEtcdStore({ endpoints: cluster.endpoints }, { clock });
  await store.transact([put("a", 1)]);
  const [one, two] = cluster.members;
  await Promise.all([one?.signal("SIGKILL"), two?.signal("SIGKILL")]);
  await assert.rejects(store.get("a"), is(UNAVAILABLE));
  await assert.rejects(store.transact([put("a", 2)]), is(UNAVAILABLE));
  await Promise.all([one?.start(), two?.start()]);
  assert.equal((await store.get("a"))?.value, 1);
});

test("no etcd at all: the error names the endpoints and what to run", async () => {
  const opening = openEtcdStore({ endpoints: ["127.0.0.1:1"] }, { clock });
  await assert.rejects(opening, (thrown) => {
    assert.ok(isKind(thrown, UNAVAILABLE));
    assert.equal(thrown.facts["endpoints"], "127.0.0.1:1");
    assert.match(thrown.remedy, /etcdctl --endpoints=127.0.0.1:1 endpoint health/);
    return true;
  });
});

test("a watch from before a compaction lagged, one that kept up goes on", async () => {
  await using cluster = await startEtcd();
  await using store = await openEtcdStore({ endpoints: cluster.endpoints }, { clock });
  const { revision } = await store.list("");
  const { signal } = new AbortController();
  const upToDate = store.watch("", revision, { signal })[Symbol.asyncIterator]();
  for (let n = 0; n < 3; n++) {
    await store.transact([put("a", n)]);
    assert.equal((await upToDate.next()).value?.[0].value, n);
  }
  const newest = await store.list("");
  await ask(cluster, "kv/compaction", { revision: newest.revision });
  await assert.rejects(takeChanges(store, "", revision, 1), is(storeErrors["store-lagged"]));
  await store.transact([put("a", 3)]);
  assert.equal((await upToDate.next()).value?.[0].value, 3);
  await upToDate.return?.();
  const fresh = takeChanges(store, "", newest.revision, 1);
  assert.equal((await fresh)[0]?.[0]?.value, 3);
});

test("a watch from long ago gets every change, though etcd gives them in pieces of 1,000", async () => {
  await using cluster = await startEtcd();
  await using store = await openEtcdStore({ endpoints: cluster.endpoints }, { clock });
  const { revision } = await store.list("");
  const numbers = Array.from({ length: 2_500 }, (_, n) => n);
  for (let at = 0; at < numbers.length; at += 250)
    await Promise.all(numbers.slice(at, at + 250).map((n) => store.transact([put(`n/${n}`, n)])));
  const batches = await takeChanges(store, "n/", revision, numbers.length);
  const seen = batches.flat().map(({ value }) => Number(value));
  assert.deepEqual(
    seen.toSorted((a, b) => a - b),
    numbers,
  );
});

test("a watch of what never changes is moved on by etcd, out of reach of compactions", async () => {
  const flags = ["--experimental-watch-progress-notify-interval=100ms"];
  await using cluster = await startEtcd({ flags });
  await using store = await openEtcdStore({ endpoints: cluster.endpoints }, { clock });
  const { revision } = await store.list("");
  const quiet = takeChanges(store, "quiet/", revision, 1);
  for (let n = 0; n < 20; n++) await store.transact([put("busy", n)]);
  // Many times the interval: what etcd tells the watch is not seen from outside.
  await clock.sleep(2_000);
  const newest = await store.list("");
  await ask(cluster, "kv/compaction", { revision: newest.revision });
  const [member] = cluster.members;
  await member?.signal("SIGKILL");
  await member?.start();
  await store.transact([put("quiet/a", 1)]);
  assert.equal((await quiet)[0]?.[0]?.value, 1);
});

test("with users: a wrong name is refused, and a member started anew takes a new token", async () => {
  await using cluster = await startEtcd();
  await ask(cluster, "auth/user/add", { name: "root", password: "secret" });
  await ask(cluster, "auth/role/add", { name: "root" });
  await ask(cluster, "auth/user/grant", { user: "root", role: "root" });
  await ask(cluster, "auth/enable", {});
  const { endpoints } = cluster;
  const refused = is(storeErrors["store-refused"]);
  await assert.rejects(openEtcdStore({ endpoints }, { clock }), refused);
  const wrong = { name: "root", password: "guess" };
  await assert.rejects(openEtcdStore({ endpoints, user: wrong }, { clock }), (thrown) => {
    assert.doesNotMatch(JSON.stringify(thrown), /guess/);
    return refused(thrown);
  });
  const user = { name: "root", password: "secret" };
  await using store = await openEtcdStore({ endpoints, user }, { clock });
  await store.transact([put("a", 1)]);
  await cluster.members[0]?.signal("SIGKILL");
  await cluster.members[0]?.start();
  const { id } = await store.grantLease(2_000);
  assert.equal(await store.renewLease(id), true);
  const revision = (await store.transact([put("a", 2)])) ?? 0;
  assert.equal((await takeChanges(store, "", revision - 1, 1))[0]?.[0]?.value, 2);
});

test("smaller limits than ours, and a full database, are told with what to do", async () => {
  const flags = ["--max-txn-ops=128", "--quota-backend-bytes=2097152"];
  await using cluster = await startEtcd({ flags });
  await using store = await openEtcdStore({ endpoints: cluster.endpoints }, { clock });
  const many = Array.from({ length: 200 }, (_, n) => put(`k/${n}`, n));
  await assert.rejects(store.transact(many), (thrown) => {
    assert.ok(isKind(thrown, storeErrors["store-limit"]));
    assert.match(thrown.remedy, /--max-txn-ops=4096/);
    return true;
  });
  const fill = async (): Promise<void> => {
    for (let n = 0; n < 100; n++) await store.transact([put(`f/${n}`, "x".repeat(100_000))]);
  };
  await assert.rejects(fill(), is(storeErrors["store-full"]));
  assert.equal((await store.get("f/0"))?.key, "f/0", "reading goes on");
});

const directory = mkdtempSync(join(tmpdir(), "fairlead-etcd-tls-"));
after(() => rmSync(directory, { recursive: true }));

test("mutual TLS: with the right certificates it works, with wrong ones it says so", async () => {
  const authority = makeAuthority(directory, "ours");
  const names = ["IP:127.0.0.1"];
  const member = issueCertificate(directory, "member", { authority, names });
  const client = issueCertificate(directory, "client", { authority, names });
  const other = makeAuthority(directory, "other");
  const stranger = issueCertificate(directory, "stranger", { authority: other, names });
  await using cluster = await startEtcd({ tls: { ca: authority.cert, ...member, clientCa: true } });
  const { endpoints } = cluster;
  const read = ({ cert, key }: { cert: string; key: string }) => ({
    cert: readFileSync(cert),
    key: readFileSync(key),
  });
  const ca = readFileSync(authority.cert);
  await using store = await openEtcdStore({ endpoints, tls: { ca, ...read(client) } }, { clock });
  await store.transact([put("a", 1)]);
  assert.equal((await store.get("a"))?.value, 1);
  const wrongCa = { ca: readFileSync(other.cert), ...read(client) };
  const expired = issueCertificate(directory, "expired", { authority, names, days: -1 });
  const named = { authority, names: ["IP:192.0.2.1"] };
  const elsewhere = issueCertificate(directory, "elsewhere", named);
  const old = issueCertificate(directory, "old", { authority, names, days: -1 });
  await using misnamed = await startEtcd({
    tls: { ca: authority.cert, ...elsewhere, clientCa: false },
  });
  await using outlived = await startEtcd({ tls: { ca: authority.cert, ...old, clientCa: false } });
  const wrong = [
    { endpoints, tls: wrongCa },
    { endpoints, tls: { ca } },
    { endpoints, tls: { ca, ...read(stranger) } },
    { endpoints, tls: { ca, ...read(expired) } },
    { endpoints: misnamed.endpoints, tls: { ca } },
    { endpoints: outlived.endpoints, tls: { ca } },
  ];
  for (const options of wrong)
    await assert.rejects(openEtcdStore(options, { clock }), (thrown) => {
      assert.ok(isKind(thrown, storeErrors["store-untrusted"]), String(thrown));
      assert.match(thrown.message, /certificate/);
      assert.match(thrown.remedy, /store\.caFile/);
      return true;
    });
  // One that is dead, before and behind the one that lives.
  for (const all of [
    ["127.0.0.1:1", ...endpoints],
    [...endpoints, "127.0.0.1:1"],
  ]) {
    await using one = await openEtcdStore(
      { endpoints: all, tls: { ca, ...read(client) } },
      { clock },
    );
    assert.equal((await one.get("a"))?.value, 1);
  }
});
