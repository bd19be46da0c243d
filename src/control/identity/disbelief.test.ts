// SPDX-License-Identifier: Apache-2.0
// What is believed no more, because its container went, a person took it back, or its time is over.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { readRevokedSerials } from "@fairlead/fabric/grpc/der.ts";
import { openSession } from "@fairlead/fabric/grpc/dial.ts";
import { listen } from "@fairlead/fabric/grpc/listen.ts";
import { readPem } from "@fairlead/fabric/grpc/workload-codec.ts";
import { FabricError, join } from "@fairlead/sdk";
import { issueCredential, makeKey } from "#identity/authority.ts";
import type { InstanceFact } from "#model/facts.ts";
import { CREDENTIAL_FILES } from "./credential-files.ts";
import {
  openPlacesRig,
  AGENT,
  FILES,
  filesOf,
  container,
  dialOf,
  nextOf,
  serialOf,
  until,
} from "./testing/places-rig.ts";

test("what a container had is believed no more when it was killed, and everybody is told at once", async () => {
  await using rig = await openPlacesRig();
  const { directory, clock, picture, grant, ask, listRevoked } = rig;
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
  await using rig = await openPlacesRig();
  const { stack, picture, grant, ask } = rig;
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
  await using rig = await openPlacesRig();
  const { stack, picture, places, grant, ask } = rig;
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
  await using rig = await openPlacesRig();
  const { picture, places, open, grant, ask, listRevoked } = rig;
  const [web, db] = [await grant("web", AGENT), await grant("db", AGENT)];
  picture.draw(container("web", web), container("db", db));
  const [stolen, older] = [(await ask(web)).read(), (await ask(db)).read()];
  await places[Symbol.asyncDispose]();
  assert.deepEqual(listRevoked(), [], "a node that ends revokes nothing");
  await open();
  picture.draw(container("db", db, { startedAtMs: 2 }));
  assert.deepEqual(listRevoked(), [serialOf(stolen), serialOf(older)].toSorted());
});

test("a container that is restarted finds the certificate of its next life, which stays", async () => {
  await using rig = await openPlacesRig();
  const { picture, places, grant, listRevoked } = rig;
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
  await using rig = await openPlacesRig();
  const { stack, picture, own, grant } = rig;
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
