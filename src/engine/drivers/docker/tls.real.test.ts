// SPDX-License-Identifier: Apache-2.0
// A real engine that speaks TLS and lets in only who has a certificate. Needs root, dockerd and openssl.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FairleadError } from "#base/errors.ts";
import { engineConformance } from "#engine/engine-conformance.ts";
import type { Engine } from "#engine/engine.ts";
import { openEngine } from "#engine/open.ts";
import { issueCertificate, makeAuthority, type CertificateFiles } from "#lab/certificates.ts";
import { startEngine, type LabEngine } from "#lab/engine.ts";
import { importBusybox } from "#lab/images.ts";
import { connectFrom } from "#lab/reach.ts";

const PORT = 2376;
const IMAGE = "busybox:lab";
const clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (delayMs: number, signal?: AbortSignal) =>
    sleep(delayMs, undefined, signal === undefined ? {} : { signal }),
};
let directory: string;
let lab: LabEngine;
let relay: Server;
let authority: CertificateFiles;
let address: string;
let engine: Engine;

/** A directory as DOCKER_CERT_PATH wants it. */
function makeCertPath(name: string, issuer: CertificateFiles): string {
  const path = join(directory, name);
  mkdirSync(path);
  const client = issueCertificate(path, "client", { authority: issuer, names: ["DNS:client"] });
  copyFileSync(authority.cert, join(path, "ca.pem"));
  copyFileSync(client.cert, join(path, "cert.pem"));
  copyFileSync(client.key, join(path, "key.pem"));
  return path;
}

function open(env: Readonly<Record<string, string>>, endpoint = ""): Engine {
  return openEngine({ endpoint, env }, { clock, random: Math.random });
}

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "fairlead-tls-"));
  authority = makeAuthority(directory, "authority");
  const names = ["IP:127.0.0.1", "DNS:localhost"];
  const server = issueCertificate(directory, "server", { authority, names });
  const tls = ["--tlsverify", "--tlscacert", authority.cert];
  const own = ["--tlscert", server.cert, "--tlskey", server.key];
  lab = await startEngine({ flags: ["-H", `tcp://127.0.0.1:${PORT}`, ...tls, ...own] });
  await importBusybox(lab, IMAGE);
  relay = createServer({ allowHalfOpen: true }, (socket) => {
    const inside = connectFrom(lab, PORT);
    socket.pipe(inside).pipe(socket);
    socket.on("error", () => inside.destroy());
    inside.on("error", () => socket.destroy());
    socket.on("close", () => inside.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  address = `tcp://127.0.0.1:${(relay.address() as AddressInfo).port}`;
  const certificates = makeCertPath("mine", authority);
  engine = open({ DOCKER_HOST: address, DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: certificates });
});

after(async () => {
  await engine?.[Symbol.asyncDispose]();
  relay?.close();
  await lab?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

engineConformance("docker over TLS, by DOCKER_HOST", () => ({ engine, image: IMAGE }));

test("a context with certificates of its own reaches the engine", async () => {
  const id = createHash("sha256").update("far").digest("hex");
  const config = join(directory, "config");
  const meta = join(config, "contexts", "meta", id);
  mkdirSync(meta, { recursive: true });
  const document = { Name: "far", Endpoints: { docker: { Host: address } } };
  writeFileSync(join(meta, "meta.json"), JSON.stringify(document));
  const tls = join(config, "contexts", "tls", id);
  mkdirSync(tls, { recursive: true });
  mkdirSync(join(tls, "docker"));
  for (const file of ["ca.pem", "cert.pem", "key.pem"])
    copyFileSync(join(directory, "mine", file), join(tls, "docker", file));
  await using far = open({ DOCKER_CONFIG: config }, "far");
  assert.equal((await far.info()).apiVersion, "1.41");
});

test("an engine whose certificate is another authority's is not spoken to", async () => {
  const other = makeAuthority(directory, "other");
  const path = makeCertPath("distrusting", authority);
  copyFileSync(other.cert, join(path, "ca.pem"));
  await using wrong = open({
    DOCKER_HOST: address,
    DOCKER_TLS_VERIFY: "1",
    DOCKER_CERT_PATH: path,
  });
  await assert.rejects(wrong.info(), (error: unknown) => {
    assert.ok(error instanceof FairleadError && error.kind.slug === "engine-unreachable");
    assert.match(error.message, /certificate/);
    return true;
  });
});

test("who has a certificate of another authority, or none, is not let in and told so", async () => {
  const stranger = makeCertPath("stranger", makeAuthority(directory, "strange"));
  const bare = join(directory, "bare");
  mkdirSync(bare);
  copyFileSync(authority.cert, join(bare, "ca.pem"));
  for (const path of [stranger, bare]) {
    await using wrong = open({
      DOCKER_HOST: address,
      DOCKER_TLS_VERIFY: "1",
      DOCKER_CERT_PATH: path,
    });
    await assert.rejects(wrong.info(), (error: unknown) => {
      assert.ok(error instanceof FairleadError);
      assert.equal(error.kind.slug, "engine-unreachable");
      assert.match(error.message, /certificate|alert|reset|hang up/i);
      return true;
    });
  }
});
