// SPDX-License-Identifier: Apache-2.0
// Mutual TLS between agents and with the node, by real certificates.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { after, before, test } from "node:test";
import { formatSerial } from "@fairlead/fabric/grpc/der.ts";
import { dial, openSession } from "@fairlead/fabric/grpc/dial.ts";
import { openTlsFiles, type TlsFiles } from "@fairlead/fabric/grpc/tls-files.ts";
import { Link } from "@fairlead/fabric/link.ts";
import { contract, join, rpc, type Agent } from "@fairlead/sdk";
import { z } from "zod";
import { isKind } from "#base/errors.ts";
import { issueCertificate, makeAuthority, type CertificateFiles } from "#lab/certificates.ts";
import { allow, constrain, nameAs, USAGES, writeOdd } from "#lab/odd-certificates.ts";
import { fabricErrors } from "./errors.ts";
import type { Fabric } from "./fabric.ts";
import { openTestFabric } from "./testing/open-test-fabric.ts";

const echo = contract("echo", "1.0.0", { say: rpc({ in: z.string(), out: z.string() }) });

let directory: string;
let authority: CertificateFiles;
let fabric: Fabric;
const certified = new Map<string, TlsFiles>();

function certify(name: string, path: string, by = authority): TlsFiles {
  const files = issueCertificate(directory, name, {
    authority: by,
    names: [`URI:spiffe://fleet.test${path}`],
  });
  return { caFile: authority.cert, certFile: files.cert, keyFile: files.key };
}

function filesOf(name: string): TlsFiles {
  const found = certified.get(name);
  assert.ok(found !== undefined);
  return found;
}

before(async () => {
  directory = mkdtempSync(joinPath(tmpdir(), "fairlead-mtls-"));
  authority = makeAuthority(directory, "authority");
  for (const name of ["alice", "bob", "carol"])
    certified.set(name, certify(name, `/default/${name}`));
  certified.set("node", certify("node", "/fairlead/node/one"));
  certified.set("stranger", certify("stranger", "/default/bob", makeAuthority(directory, "other")));
  fabric = await openTestFabric(directory, { listen: "127.0.0.1:0", tls: filesOf("node") });
});
after(async () => {
  await fabric?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

const tcp = (): string => fabric.addresses.find((address) => !address.startsWith("unix:")) ?? "";

function enter(name: string, tls: TlsFiles = filesOf(name)): Promise<Agent> {
  const ticket = fabric.grantTicket("default", name);
  return join({ name, node: tcp(), ticket, tls });
}

test("agents join over TLS, and call each other directly over TLS", async () => {
  await using alice = await enter("alice");
  await using bob = await enter("bob");
  await alice.serve(echo, { say: (text, { caller }) => `${text}, ${caller.name}` });
  assert.equal(await bob.client(echo, { agent: "alice" }).say("hello"), "hello, bob");
  const [record] = await bob.find({ name: "alice" });
  const address = record?.addresses[0] ?? "";
  assert.notEqual(address, "");
  await assert.rejects(dial({ address, timeoutMs: 1_000 }), /cannot reach/, "not without TLS");
});

test("who is of another authority is not let in, by the node or by an agent", async () => {
  await using alice = await enter("alice");
  using tls = openTlsFiles(filesOf("stranger"));
  const [record] = await alice.find({ name: "alice" });
  for (const address of [tcp(), record?.addresses[0] ?? ""])
    await assert.rejects(dial({ address, tls: tls.read(), timeoutMs: 1_000 }), /cannot reach/);
});

test("a certificate with an id whose key may sign others opens nothing", async () => {
  const by = { subject: "authority", certificate: "", key: readFileSync(authority.key, "utf8") };
  const write = (name: string, usage: number): TlsFiles => {
    const extensions = [
      constrain(false),
      allow(usage),
      nameAs(`uri:spiffe://fleet.test/default/${name}`),
    ];
    const { certificate, key } = writeOdd({ subject: name, by, extensions });
    const [certFile, keyFile] = [`${name}.crt`, `${name}.key`].map((file) =>
      joinPath(directory, file),
    ) as [string, string];
    writeFileSync(certFile, certificate);
    writeFileSync(keyFile, key);
    return { caFile: authority.cert, certFile, keyFile };
  };
  await using _ = await enter("dave", write("dave", USAGES.digitalSignature));
  const both = USAGES.digitalSignature | USAGES.keyCertSign;
  await assert.rejects(async () => {
    await using _let = await enter("eve", write("eve", both));
  }, /lost|reset|cannot reach/);
});

test("a certificate of one name does not serve for another, whatever ticket is shown", async () => {
  await assert.rejects(enter("alice", filesOf("bob")), (thrown) => {
    assert.match(String(thrown), /certificate is of spiffe:\/\/fleet\.test\/default\/bob/);
    return true;
  });
  using tls = openTlsFiles(filesOf("bob"));
  const link = new Link({
    transport: await dial({ address: tcp(), tls: tls.read() }),
    dialled: true,
    self: { id: "x", name: "", scope: "", ticket: fabric.grantTicket("", "") },
    accept: () => undefined,
  });
  await assert.rejects(link.ready, /certificate is of spiffe/);
});

test("certificates are replaced under a running node and agent: connections stay, new ones use the new", async () => {
  const files = filesOf("carol");
  await using carol = await enter("carol", files);
  await using alice = await enter("alice");
  await carol.serve(echo, { say: (text) => text });
  const client = alice.client(echo, { agent: "carol" });
  assert.equal(await client.say("before"), "before");
  using source = openTlsFiles(files);
  const old = source.read().cert;
  const renewed = certify("carol-2", "/default/carol");
  cpSync(renewed.certFile, files.certFile);
  assert.deepEqual(source.read().cert, old, "half of a pair is not taken");
  cpSync(renewed.keyFile, files.keyFile);
  assert.notDeepEqual(source.read().cert, old);
  assert.equal(await client.say("after"), "after");
  await using bob = await enter("bob");
  assert.equal(await bob.client(echo, { agent: "carol" }).say("new"), "new");
});

test("who dials with a certificate that is revoked is cut off, and let in no more", async () => {
  const files = certify("dave", "/default/dave");
  await using dave = await enter("dave", files);
  await using alice = await enter("alice");
  using tls = openTlsFiles(files);
  const { session } = await openSession({ address: tcp(), tls: tls.read() });
  const cut = once(session, "close");
  const { serialNumber } = new X509Certificate(tls.read().cert);
  fabric.setRevoked(new Set([formatSerial(serialNumber)]));
  await cut;
  const enterAgain = async (): Promise<void> => {
    const { session: again } = await openSession({ address: tcp(), tls: tls.read() });
    await once(again, "close");
    throw new Error("was cut off at once");
  };
  await assert.rejects(enterAgain);
  assert.deepEqual(
    fabric.list().map(({ name }) => name),
    ["alice"],
  );
  fabric.setRevoked(new Set());
  assert.ok(dave.name !== alice.name);
});

test("files that do not fit are an error that names them", async () => {
  const tls = { ...filesOf("node"), keyFile: filesOf("bob").keyFile };
  const opening = openTestFabric(joinPath(directory, "two"), { listen: "127.0.0.1:0", tls });
  await assert.rejects(opening, (thrown) => {
    assert.ok(isKind(thrown, fabricErrors["fabric-certificate"]));
    assert.match(thrown.message, /bob\.key is not the key of .*node\.crt/);
    return true;
  });
});
