// SPDX-License-Identifier: Apache-2.0
// What containers are given: over real sockets, with a picture of the engine that the test draws.
import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { test } from "node:test";
import { contract, FabricError, join, rpc } from "@fairlead/sdk";
import { z } from "zod";
import { OWN_LABELS } from "#model/facts.ts";
import { systemClock } from "#store/testing/system-clock.ts";
import { CREDENTIAL_FILES } from "./credential-files.ts";
import type { Issuer } from "./issuer.ts";
import type { Access } from "./places.ts";
import {
  openPlacesRig,
  AGENT,
  FILES,
  filesOf,
  container,
  dialOf,
  nextOf,
  until,
} from "./testing/places-rig.ts";

const echo = contract("echo", "1.0.0", { say: rpc({ in: z.string(), out: z.string() }) });

const isDenied = (thrown: unknown): boolean =>
  thrown instanceof FabricError && thrown.code === "permission_denied";

test("who dials a container's socket gets that container's certificate, which its authority signed", async () => {
  await using rig = await openPlacesRig();
  const { picture, places, grant, ask } = rig;
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
  await using rig = await openPlacesRig();
  const { picture, grant } = rig;
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
  await using rig = await openPlacesRig();
  const { picture, grant, ask } = rig;
  const access = await grant("web", AGENT);
  picture.draw(container("web", access, { state: "created", startedAtMs: 0 }));
  await assert.rejects(ask(access), isDenied);
  const asked = ask(access);
  picture.draw(container("web", access));
  assert.equal((await asked).read().uri, "spiffe://host7/shop/web");
});

test("a container that was killed gets none, and its next life gets another", async () => {
  await using rig = await openPlacesRig();
  const { picture, places, grant, ask } = rig;
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
  await using rig = await openPlacesRig();
  const { clock, picture, own, grant } = rig;
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
  await using rig = await openPlacesRig();
  const { stack, picture, own, grant, ask } = rig;
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
  await using rig = await openPlacesRig();
  const { directory, picture, places, open, grant, ask } = rig;
  const [web, gone] = [await grant("web", AGENT), await grant("gone", AGENT)];
  picture.draw(container("web", web), container("gone", gone));
  await places[Symbol.asyncDispose]();
  await open();
  picture.draw(container("web", web));
  assert.deepEqual(readdirSync(joinPath(directory, "places")), [web.place]);
  assert.equal((await ask(web)).read().uri, "spiffe://host7/shop/web");
});

test("files are renewed once the authority is known, by a node that began before it was", async () => {
  await using rig = await openPlacesRig();
  const { picture, own, places, open, grant } = rig;
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
  const again = await open(late);
  picture.draw(container("db", db, { labels: filesOf(db) }));
  await asked.promise;
  assert.deepEqual(again.list(), []);
  isKnown = true;
  await own.turn("a test");
  await until(() => again.list().length === 1);
});
