// SPDX-License-Identifier: Apache-2.0
// Places of containers over real sockets, with a picture of the engine that the test draws.
import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { contract, FabricError, join, openIdentity, rpc, type NodeIdentity } from "@fairlead/sdk";
import { z } from "zod";
import { silentLogger } from "#base/logger.ts";
import { buildInstance, buildService } from "#brain/testing/builders.ts";
import type { BoardChange } from "#control/facts-board.ts";
import type { Fabric } from "#fabric/fabric.ts";
import { openTestFabric } from "#fabric/testing/open-test-fabric.ts";
import { OWN_LABELS, type Facts, type InstanceFact } from "#model/facts.ts";
import { openStore } from "#store/open.ts";
import { systemClock } from "#store/testing/system-clock.ts";
import { CREDENTIAL_FILES } from "./credential-files.ts";
import { openOwnAuthority, type OwnAuthority } from "./own-authority.ts";
import { createPlaces, type Access, type Places } from "./places.ts";

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
let places: Places;

beforeEach(async () => {
  directory = mkdtempSync(joinPath(tmpdir(), "fairlead-places-"));
  stack = new AsyncDisposableStack();
  clock = createHastyClock();
  picture = createPicture();
  fabric = stack.use(await openTestFabric(directory, { clock }));
  const store = stack.use(await openStore({ kind: "memory" }, { clock }));
  own = await openOwnAuthority({
    store,
    secret: SECRET,
    name: "Host7",
    clock,
    logger: silentLogger,
  });
  places = stack.use(open());
  const stopping = new AbortController();
  const running = places.run(stopping.signal);
  stack.defer(async () => {
    stopping.abort();
    await running;
  });
});
afterEach(async () => {
  await stack.disposeAsync();
  rmSync(directory, { recursive: true });
});

function open(): Places {
  const at = joinPath(directory, "places");
  mkdirSync(at, { recursive: true });
  const { issuer } = own;
  return createPlaces({
    fabric,
    board: picture,
    issuer,
    directory: at,
    clock,
    logger: silentLogger,
  });
}

async function grant(name: string, labels: Readonly<Record<string, string>>): Promise<Access> {
  const service = buildService({ name, container: { Image: "app:1", Labels: labels } });
  const access = await places.grant("shop", service);
  assert.ok(access !== undefined);
  return access;
}

const AGENT = { "fairlead.kind": "agent" };

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
  places = stack.use(open());
  picture.draw(container("web", web));
  assert.deepEqual(readdirSync(joinPath(directory, "places")), [web.place]);
  assert.equal((await ask(web)).read().uri, "spiffe://host7/shop/web");
});
