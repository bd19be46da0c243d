// SPDX-License-Identifier: Apache-2.0
// Places of containers over real sockets, with a picture of the engine that the test draws.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { contract, FabricError, join, openIdentity, rpc, type NodeIdentity } from "@fairlead/sdk";
import { openSession } from "@fairlead/fabric/grpc/dial.ts";
import { readRevokedSerials } from "@fairlead/fabric/grpc/der.ts";
import { listen } from "@fairlead/fabric/grpc/listen.ts";
import { readPem } from "@fairlead/fabric/grpc/workload-codec.ts";
import { z } from "zod";
import { silentLogger } from "#base/logger.ts";
import { buildInstance, buildService } from "#brain/testing/builders.ts";
import type { BoardChange } from "#control/facts-board.ts";
import type { Fabric } from "#fabric/fabric.ts";
import { openTestFabric } from "#fabric/testing/open-test-fabric.ts";
import { issueCredential, makeKey } from "#identity/authority.ts";
import { OWN_LABELS, type Facts, type InstanceFact } from "#model/facts.ts";
import { openStore } from "#store/open.ts";
import type { Store } from "#store/store.ts";
import { systemClock } from "#store/testing/system-clock.ts";
import { CREDENTIAL_FILES } from "./credential-files.ts";
import { openOwnAuthority, type OwnAuthority } from "./own-authority.ts";
import { openIssuedBook } from "./issued-book.ts";
import type { Issuer } from "./issuer.ts";
import { createPlaces, type Access, type Places } from "./places.ts";
import { openRevocations, type Revocations } from "./revocations.ts";

const SECRET = Buffer.alloc(32, 7);
const echo = contract("echo", "1.0.0", { say: rpc({ in: z.string(), out: z.string() }) });

/** The picture of an engine. */
function createPicture() {
  const listeners = new Set<(change: BoardChange) => void>();
  let instances: readonly InstanceFact[] = [];
  return {
    ready: true,
    read: (): Facts => ({
      asOfMs: 0,
      engineGap: undefined,
      node: undefined,
      instances,
      networks: [],
      volumes: [],
      images: new Map(),
    }),
    find: (id: string) => instances.find((one) => one.id === id),
    onChange(listener: (change: BoardChange) => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    draw(...next: readonly InstanceFact[]) {
      instances = next;
      for (const listener of listeners) listener({ scopes: undefined, event: undefined });
    },
  };
}

/** The machine's time, moved on as wanted; who sleeps, sleeps shorter. */
function createHastyClock() {
  let aheadMs = 0;
  return {
    nowMs: () => Date.now() + aheadMs,
    monotonicMs: () => performance.now() + aheadMs,
    sleep: (delayMs: number, signal?: AbortSignal) => systemClock.sleep(delayMs / 50, signal),
    moveOn(ms: number) {
      aheadMs += ms;
    },
  };
}

let directory: string;
let stack: AsyncDisposableStack;
let fabric: Fabric;
let picture: ReturnType<typeof createPicture>;
let clock: ReturnType<typeof createHastyClock>;
let own: OwnAuthority;
let store: Store;
let revocations: Revocations;
let places: Places;

beforeEach(async () => {
  directory = mkdtempSync(joinPath(tmpdir(), "fairlead-places-"));
  stack = new AsyncDisposableStack();
  clock = createHastyClock();
  picture = createPicture();
  const logger = silentLogger;
  fabric = stack.use(await openTestFabric(directory, { clock }));
  store = stack.use(await openStore({ kind: "memory" }, { clock }));
  own = await openOwnAuthority({ store, secret: SECRET, name: "Host7", clock, logger });
  const openIt = () => Promise.resolve(store);
  revocations = await openRevocations({
    openStore: openIt,
    own: undefined,
    node: "Host7",
    clock,
    logger,
  });
  places = stack.use(await open());
  const stopping = new AbortController();
  const running = Promise.all([places.run(stopping.signal), revocations.run(stopping.signal)]);
  stack.defer(async () => {
    stopping.abort();
    await running;
  });
});
afterEach(async () => {
  await stack.disposeAsync();
  rmSync(directory, { recursive: true });
});

async function open(issuer: Issuer = own.issuer): Promise<Places> {
  const at = joinPath(directory, "places");
  mkdirSync(at, { recursive: true });
  const logger = silentLogger;
  const issued = await openIssuedBook({ store, revocations, given: undefined, clock, logger });
  const parts = { fabric, board: picture, issuer, issued, revocations };
  return createPlaces({ ...parts, directory: at, clock, logger });
}

async function grant(name: string, labels: Readonly<Record<string, string>>): Promise<Access> {
  const service = buildService({ name, container: { Image: "app:1", Labels: labels } });
  const access = await places.grant("shop", service);
  assert.ok(access !== undefined);
  return access;
}

const AGENT = { "fairlead.kind": "agent" };
const FILES = { ...AGENT, "fairlead.identity": "files" };

/** Labels of a container that has its certificate in files. */
const filesOf = ({ place }: Access) => ({ [OWN_LABELS.place]: place, ...FILES });

/** The container of a place, in its first life unless another is named. */
function container(name: string, { place }: Access, parts: Partial<InstanceFact> = {}) {
  const labels = { [OWN_LABELS.place]: place, ...AGENT };
  const made = { id: `id-${name}`, service: name, startedAtMs: 1, state: "running" as const };
  return buildInstance({ ...made, labels, ...parts });
}

const dialOf = (access: Access): string => `unix:${access.directory}/fabric.sock`;

async function ask(access: Access, owner = stack): Promise<NodeIdentity> {
  return owner.use(await openIdentity({ node: dialOf(access) }));
}

/** Resolves with the next certificate that comes. */
function nextOf(identity: NodeIdentity): Promise<X509Certificate> {
  return new Promise((resolve) => {
    identity.onChange(({ cert }) => resolve(new X509Certificate(cert)));
  });
}

const isDenied = (thrown: unknown): boolean =>
  thrown instanceof FabricError && thrown.code === "permission_denied";

test("who dials a container's socket gets that container's certificate, which its authority signed", async () => {
  const access = await grant("web", AGENT);
  picture.draw(container("web", access));
  const { uri, cert, key, ca } = (await ask(access)).read();
  assert.equal(uri, "spiffe://host7/shop/web");
  const leaf = new X509Certificate(cert);
  assert.equal(leaf.subjectAltName, "URI:spiffe://host7/shop/web, DNS:web.shop.fairlead.internal");
  assert.ok(leaf.checkPrivateKey(createPrivateKey(key)));
  assert.ok(leaf.verify(new X509Certificate(ca).publicKey));
  assert.ok(!leaf.ca);
  assert.equal(places.list()[0]?.credential.serial, leaf.serialNumber.toLowerCase());
});

test("a ticket is of no use at the socket of another container", async () => {
  const [web, db] = [await grant("web", AGENT), await grant("db", AGENT)];
  picture.draw(container("web", web), container("db", db));
  const enter = (
    name: string,
    at: Access,
    { ticket = "" }: { readonly ticket?: string | undefined },
  ) => join({ name, scope: "shop", node: dialOf(at), ticket, listen: false });
  await using _web = await enter("web", web, web);
  await assert.rejects(
    enter("web", db, web),
    /this socket is that of shop\/db, .* it is shop\/web/,
  );
  await assert.rejects(enter("db", db, web), /may not join with this ticket/);
});

test("nobody gets a certificate before the engine says that the container runs", async () => {
  const access = await grant("web", AGENT);
  picture.draw(container("web", access, { state: "created", startedAtMs: 0 }));
  await assert.rejects(ask(access), isDenied);
  const asked = ask(access);
  picture.draw(container("web", access));
  assert.equal((await asked).read().uri, "spiffe://host7/shop/web");
});

test("a container that was killed gets none, and its next life gets another", async () => {
  const access = await grant("web", AGENT);
  picture.draw(container("web", access));
  const first = await ask(access);
  const before = first.read();
  picture.draw(container("web", access, { state: "exited" }));
  assert.deepEqual(places.list(), []);
  await assert.rejects(ask(access), isDenied);
  picture.draw(container("web", access, { startedAtMs: 2 }));
  const after = (await ask(access)).read();
  assert.notEqual(
    new X509Certificate(after.cert).serialNumber,
    new X509Certificate(before.cert).serialNumber,
  );
  assert.notDeepEqual(after.key, before.key);
});

test("files are there before the container is, and change at once for each life, when half of their time is over, and with the authority", async () => {
  const access = await grant("web", { "fairlead.identity": "files ttl=10m" });
  assert.deepEqual([access.identity, access.ticket], ["files", undefined]);
  const read = () => {
    const [ca, certificate, key] = [
      CREDENTIAL_FILES.ca,
      CREDENTIAL_FILES.certificate,
      CREDENTIAL_FILES.key,
    ].map((name) => readFileSync(joinPath(access.directory, name), "utf8"));
    const leaf = new X509Certificate(certificate ?? "");
    assert.ok(leaf.checkPrivateKey(createPrivateKey(key ?? "")));
    return { leaf, ca: new X509Certificate(ca ?? "") };
  };
  const becomesAnother = async (act: () => void | Promise<void>): Promise<void> => {
    const before = read().leaf.serialNumber;
    await act();
    while (read().leaf.serialNumber === before) await systemClock.sleep(5);
  };
  const labels = { [OWN_LABELS.place]: access.place, "fairlead.identity": "files ttl=10m" };
  const { leaf } = read();
  const leftMs = leaf.validToDate.getTime() - clock.nowMs();
  assert.ok(leftMs > 9 * 60_000 && leftMs <= 600_000, `${leftMs}`);
  picture.draw(container("web", access, { labels }));
  assert.equal(read().leaf.serialNumber, leaf.serialNumber);
  await becomesAnother(() => picture.draw(container("web", access, { labels, startedAtMs: 2 })));
  await becomesAnother(() => clock.moveOn(301_000));
  const { ca } = read();
  await becomesAnother(() => own.turn("a test"));
  assert.notEqual(read().ca.serialNumber, ca.serialNumber);
  picture.draw();
  assert.ok(!existsSync(access.directory), "what was its own goes with it");
});

test("agents talk by the certificates that the node gives, and go on while those change", async () => {
  const [web, db] = [await grant("web", AGENT), await grant("db", AGENT)];
  picture.draw(container("web", web), container("db", db));
  const enter = async (name: string, at: Access) =>
    stack.use(
      await join({ name, scope: "shop", node: dialOf(at), ticket: at.ticket ?? "", tls: "node" }),
    );
  const [caller, server] = [await enter("web", web), await enter("db", db)];
  await server.serve(echo, { say: (text, { caller: { name } }) => `${text}, ${name}` });
  const client = caller.client(echo, { agent: "db" });
  assert.equal(await client.say("hello"), "hello, web");
  const identity = await ask(web);
  const next = nextOf(identity);
  await own.turn("a test");
  const renewed = await next;
  const [newest] = own.list();
  assert.ok(renewed.checkIssued(new X509Certificate(newest?.certificate ?? "")));
  assert.equal(await client.say("still"), "still, web");
  const access = await grant("late", AGENT);
  picture.draw(container("web", web), container("db", db), container("late", access));
  const late = await enter("late", access);
  assert.equal(await late.client(echo, { agent: "db" }).say("new"), "new, late");
});

test("a node that begins knows the places of its containers, and sweeps out what is nobody's", async () => {
  const [web, gone] = [await grant("web", AGENT), await grant("gone", AGENT)];
  picture.draw(container("web", web), container("gone", gone));
  await places[Symbol.asyncDispose]();
  places = stack.use(await open());
  picture.draw(container("web", web));
  assert.deepEqual(readdirSync(joinPath(directory, "places")), [web.place]);
  assert.equal((await ask(web)).read().uri, "spiffe://host7/shop/web");
});

const serialOf = ({ cert }: { readonly cert: Buffer }): string =>
  new X509Certificate(cert).serialNumber.toLowerCase();

const listRevoked = (): readonly string[] => revocations.list().map(({ serial }) => serial);

async function until(holds: () => boolean): Promise<void> {
  const giveUp = AbortSignal.timeout(30_000);
  while (!holds()) await systemClock.sleep(5, giveUp);
}

test("what a container had is believed no more when it was killed, and everybody is told at once", async () => {
  const [web, db] = [await grant("web", AGENT), await grant("db", FILES)];
  picture.draw(container("web", web), container("db", db, { labels: filesOf(db) }));
  const [first, other] = [await ask(web), await ask(db)];
  const stolen = first.read();
  assert.deepEqual(listRevoked(), []);
  const told = new Promise<ReadonlySet<string>>((resolve) =>
    other.onChange(({ revoked }) => resolve(revoked ?? new Set())),
  );
  picture.draw(
    container("web", web, { state: "exited" }),
    container("db", db, { labels: filesOf(db) }),
  );
  assert.deepEqual(listRevoked(), [serialOf(stolen)]);
  assert.deepEqual([...(await told)], [serialOf(stolen)]);
  const at = (name: string): string => joinPath(db.directory, name);
  const [list] = readPem(readFileSync(at(CREDENTIAL_FILES.revoked), "utf8"));
  assert.deepEqual(readRevokedSerials(list ?? Buffer.alloc(0)), [serialOf(stolen)]);
  const leaf = joinPath(directory, "stolen.pem");
  writeFileSync(leaf, stolen.cert);
  const files = ["-CAfile", at(CREDENTIAL_FILES.ca), "-CRLfile", at(CREDENTIAL_FILES.revoked)];
  const judge = (one: string): string =>
    spawnSync("openssl", ["verify", "-crl_check_all", ...files, one], { encoding: "utf8" }).stderr;
  assert.match(judge(leaf), /certificate revoked/);
  assert.equal(judge(at(CREDENTIAL_FILES.certificate)), "");
  // The one that is removed, too; and what has run out everywhere stands there no more.
  picture.draw(container("web", web, { state: "exited" }));
  assert.deepEqual(listRevoked().length, 2);
  clock.moveOn(2 * 3_600_000 + 1);
  assert.deepEqual(listRevoked(), []);
});

test("what is stolen of a killed container opens no agent, and what it had open is cut", async () => {
  const [web, db] = [await grant("web", AGENT), await grant("db", AGENT)];
  picture.draw(container("web", web), container("db", db));
  const tls = "node" as const;
  const server = stack.use(
    await join({ name: "db", scope: "shop", node: dialOf(db), ticket: db.ticket ?? "", tls }),
  );
  const address = (await server.find({ name: "db" }))[0]?.addresses[0] ?? "";
  const stolen = (await ask(web)).read();
  const open = await openSession({ address, tls: stolen });
  const cut = once(open.session, "close");
  picture.draw(container("web", web, { state: "exited" }), container("db", db));
  await cut;
  await assert.rejects(async () => {
    const { session } = await openSession({ address, tls: stolen });
    await once(session, "close");
    throw new FabricError("unavailable", "was cut off");
  }, FabricError);
  // The thief as the one who is called: the caller looks, too.
  const listener = stack.use(
    await listen({
      at: { host: "127.0.0.1", port: 0 },
      onTransport: () => undefined,
      tls: {
        read: () => stolen,
        onChange: () => () => undefined,
        [Symbol.dispose]: () => undefined,
      },
    }),
  );
  const asking = (await ask(db)).read();
  await assert.rejects(
    openSession({ address: listener.address, tls: asking }),
    /is believed no more/,
  );
});

test("what a person takes back opens no agent, and its container goes on with another", async () => {
  const [web, db] = [await grant("web", AGENT), await grant("db", AGENT)];
  const instance = container("web", web);
  picture.draw(instance, container("db", db));
  const tls = "node" as const;
  const server = stack.use(
    await join({ name: "db", scope: "shop", node: dialOf(db), ticket: db.ticket ?? "", tls }),
  );
  const address = (await server.find({ name: "db" }))[0]?.addresses[0] ?? "";
  const own = await ask(web);
  const stolen = own.read();
  const open = await openSession({ address, tls: stolen });
  const cut = once(open.session, "close");
  const next = nextOf(own);
  const { certificates, told } = await places.revoke(instance);
  assert.deepEqual(
    certificates.map(({ serial }) => serial),
    [serialOf(stolen)],
  );
  await Promise.all([cut, told]);
  await assert.rejects(async () => {
    const { session } = await openSession({ address, tls: stolen });
    await once(session, "close");
    throw new FabricError("unavailable", "was cut off");
  }, FabricError);
  assert.notEqual((await next).serialNumber.toLowerCase(), serialOf(stolen));
  const { session: again } = await openSession({ address, tls: own.read() });
  assert.ok(!again.destroyed);
  again.destroy();
  const none = await grant("idle", AGENT);
  assert.deepEqual((await places.revoke(container("idle", none))).certificates, []);
});

test("a container that went while no node ran: what it had is believed no more all the same", async () => {
  const [web, db] = [await grant("web", AGENT), await grant("db", AGENT)];
  picture.draw(container("web", web), container("db", db));
  const [stolen, older] = [(await ask(web)).read(), (await ask(db)).read()];
  await places[Symbol.asyncDispose]();
  assert.deepEqual(listRevoked(), [], "a node that ends revokes nothing");
  places = stack.use(await open());
  picture.draw(container("db", db, { startedAtMs: 2 }));
  assert.deepEqual(listRevoked(), [serialOf(stolen), serialOf(older)].toSorted());
});

test("files are renewed once the authority is known, by a node that began before it was", async () => {
  const db = await grant("db", FILES);
  await places[Symbol.asyncDispose]();
  let isKnown = false;
  const asked = Promise.withResolvers<void>();
  const late: Issuer = {
    ...own.issuer,
    read: () => (isKnown ? own.issuer.read() : undefined),
    async need() {
      asked.resolve();
      if (!isKnown) throw new Error("not known yet");
      return own.issuer.need();
    },
  };
  places = stack.use(await open(late));
  picture.draw(container("db", db, { labels: filesOf(db) }));
  await asked.promise;
  assert.deepEqual(places.list(), []);
  isKnown = true;
  await own.turn("a test");
  await until(() => places.list().length === 1);
});

test("a container that is restarted finds the certificate of its next life, which stays", async () => {
  const access = await grant("web", FILES);
  const draw = (parts: Partial<InstanceFact>): void =>
    picture.draw(container("web", access, { labels: filesOf(access), ...parts }));
  const read = (): string =>
    serialOf({ cert: readFileSync(joinPath(access.directory, CREDENTIAL_FILES.certificate)) });
  const first = read();
  draw({});
  assert.equal(read(), first);
  await places.prepare("id-web");
  const next = read();
  assert.notEqual(next, first);
  draw({ startedAtMs: 2 });
  assert.deepEqual(listRevoked(), [first]);
  await places.revoke(container("web", access, { labels: filesOf(access), startedAtMs: 2 }));
  assert.notEqual(read(), next);
  assert.deepEqual(listRevoked(), [first, next].toSorted());
  draw({ startedAtMs: 2, state: "exited" });
  assert.equal(listRevoked().length, 3, "all of a life end with it");
});

test("a certificate that has run out opens no agent, with an older handshake's keys neither", async () => {
  const db = await grant("db", AGENT);
  picture.draw(container("db", db));
  const server = stack.use(
    await join({
      name: "db",
      scope: "shop",
      node: dialOf(db),
      ticket: db.ticket ?? "",
      tls: "node",
    }),
  );
  const address = (await server.find({ name: "db" }))[0]?.addresses[0] ?? "";
  const [authority] = own.list();
  assert.ok(authority !== undefined);
  const certify = async (leftMs: number) => {
    const nowMs = Date.now() - 3_600_000 + leftMs;
    const made = await issueCredential(authority, {
      uri: "spiffe://host7/shop/web",
      key: await makeKey(),
      nowMs,
    });
    const { certificate: cert, key, notAfterMs } = made;
    return { ca: authority.certificate, cert, key, notAfterMs };
  };
  const connectBy = (held: Awaited<ReturnType<typeof certify>>, session?: Buffer): TLSSocket => {
    const [host = "", port = ""] = address.split(":");
    const shown = session === undefined ? held : { ...held, session };
    const checkServerIdentity = () => undefined;
    const options = { ...shown, minVersion: "TLSv1.3" as const, ALPNProtocols: ["h2"] };
    return connect({ host, port: Number(port), ...options, checkServerIdentity });
  };
  const toMaterial = ({ ca, cert, key }: Awaited<ReturnType<typeof certify>>) => ({
    ca: Buffer.from(ca),
    cert: Buffer.from(cert),
    key: Buffer.from(key),
  });
  await assert.rejects(openSession({ address, tls: toMaterial(await certify(-2_000)) }));
  const ending = await certify(3_500);
  const { session: open } = await openSession({ address, tls: toMaterial(ending) });
  open.destroy();
  const first = connectBy(ending).resume();
  const [session] = (await once(first, "session")) as [Buffer];
  first.destroy();
  await until(() => Date.now() > ending.notAfterMs);
  const again = connectBy(ending, session).resume();
  const ended = once(again, "close");
  await once(again, "secureConnect");
  assert.ok(again.isSessionReused());
  await ended;
});
