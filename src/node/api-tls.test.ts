// SPDX-License-Identifier: Apache-2.0
// The certificate that a node makes for its API: when, for which names, and how long it stays.
import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "node:tls";
import { startApi } from "#api/testing/start-api.ts";
import { silentLogger, type Logger } from "#base/logger.ts";
import { loadSettings } from "#config/load-settings.ts";
import { isCertificateOf, makeServerCertificate } from "#identity/server-certificate.ts";
import { systemClock } from "#store/testing/system-clock.ts";
import { createTlsReader, openApiTls } from "./api-tls.ts";
import { listenForPage } from "./listen-for-page.ts";

const DAY_MS = 86_400_000;

function openPlace(stack: DisposableStack) {
  const stateDir = mkdtempSync(join(tmpdir(), "fairlead-tls-"));
  stack.defer(() => rmSync(stateDir, { recursive: true }));
  const load = (more: Record<string, string> = {}) => {
    const env = { FAIRLEAD_STATE_DIR: stateDir, FAIRLEAD_NODE_NAME: "node-a", ...more };
    return loadSettings({
      env,
      flags: {},
      hostName: "node-a",
      uid: 1_000,
      readFile: () => undefined,
    }).settings;
  };
  const at = (days: number, more?: Record<string, string>) => ({
    settings: load(more),
    clock: { nowMs: () => Date.now() + days * DAY_MS },
    logger: silentLogger,
  });
  return { stateDir, at };
}

const keyOf = (pem: string): string =>
  createHash("sha256")
    .update(new X509Certificate(pem).publicKey.export({ format: "der", type: "spki" }))
    .digest("hex");

test("none on loopback; elsewhere one for all names, kept, and renewed on its key", async () => {
  using stack = new DisposableStack();
  const { stateDir, at } = openPlace(stack);
  assert.equal(await openApiTls(at(0), "127.0.0.1"), undefined);
  const made = await openApiTls(at(0), "0.0.0.0");
  assert.ok(made !== undefined);
  const certificate = new X509Certificate(made.certificate);
  for (const name of ["node-a", "localhost", "127.0.0.1"])
    assert.ok(isCertificateOf(certificate, name), name);
  assert.ok(!isCertificateOf(certificate, "node-b"));
  assert.ok(!certificate.ca);
  assert.equal(statSync(join(stateDir, "api-key.pem")).mode & 0o777, 0o600);
  assert.deepEqual(await openApiTls(at(300), "0.0.0.0"), made, "it is kept");
  const renewed = await openApiTls(at(340), "0.0.0.0");
  assert.notEqual(renewed?.certificate, made.certificate);
  assert.equal(keyOf(renewed?.certificate ?? ""), keyOf(made.certificate));
  assert.equal(readFileSync(join(stateDir, "api-cert.pem"), "utf8"), renewed?.certificate);
  const moved = await openApiTls(at(340), "192.0.2.7");
  assert.ok(isCertificateOf(new X509Certificate(moved?.certificate ?? ""), "192.0.2.7"));
});

test("that of the settings, on loopback too; a file that is not there is named", async () => {
  using stack = new DisposableStack();
  const { stateDir, at } = openPlace(stack);
  await openApiTls(at(0), "0.0.0.0");
  const files = {
    FAIRLEAD_API_CERT_FILE: join(stateDir, "api-cert.pem"),
    FAIRLEAD_API_KEY_FILE: join(stateDir, "api-key.pem"),
  };
  const given = await openApiTls(at(0, files), "127.0.0.1");
  assert.match(given?.certificate ?? "", /BEGIN CERTIFICATE/);
  const wrong = { ...files, FAIRLEAD_API_KEY_FILE: "/nowhere.pem" };
  await assert.rejects(openApiTls(at(0, wrong), "127.0.0.1"), /there is no \/nowhere\.pem/);
});

test("a certificate that is renewed in its files is shown without a start, half of a new pair never", async () => {
  await using stack = new AsyncDisposableStack();
  const { stateDir, at } = openPlace(stack.use(new DisposableStack()));
  const certFile = join(stateDir, "given.pem");
  const keyFile = join(stateDir, "given.key");
  const make = () => makeServerCertificate({ names: ["127.0.0.1"], nowMs: Date.now() });
  const [first, second] = [await make(), await make()];
  writeFileSync(certFile, first.certificate);
  writeFileSync(keyFile, first.key);
  const { api } = stack.use(await startApi());
  const warned = Promise.withResolvers<string>();
  const logger: Logger = {
    ...silentLogger,
    warn: (_, fields) => warned.resolve(String(fields?.["reason"])),
  };
  const files = { FAIRLEAD_API_CERT_FILE: certFile, FAIRLEAD_API_KEY_FILE: keyFile };
  const readTls = createTlsReader(at(0, files));
  const clock = {
    ...systemClock,
    sleep: (_: number, signal?: AbortSignal) => systemClock.sleep(5, signal),
  };
  const origin = await listenForPage("127.0.0.1:0", { api, readTls, clock, logger }, stack);
  const port = Number(new URL(origin ?? "").port);
  const look = async (): Promise<string> => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const { serialNumber = "" } = socket.getPeerX509Certificate() ?? {};
    socket.destroy();
    return serialNumber;
  };
  const serialOf = ({ certificate }: { readonly certificate: string }): string =>
    new X509Certificate(certificate).serialNumber;
  assert.equal(await look(), serialOf(first));
  writeFileSync(certFile, second.certificate);
  assert.match(await warned.promise, /its key cannot be used/);
  assert.equal(await look(), serialOf(first));
  writeFileSync(keyFile, second.key);
  const giveUp = AbortSignal.timeout(10_000);
  while ((await look()) !== serialOf(second)) giveUp.throwIfAborted();
});
