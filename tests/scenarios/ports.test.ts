// SPDX-License-Identifier: Apache-2.0
// S05: what a scanner of protocols and ciphers finds at each port where TLS is spoken: those of nodes, of agents, and of the API.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { startApi } from "#api/testing/start-api.ts";
import { openTestFabric } from "#fabric/testing/open-test-fabric.ts";
import { makeServerCertificate } from "#identity/server-certificate.ts";
import { issueCertificate, makeAuthority } from "#lab/certificates.ts";
import { createLabAuthority } from "#lab/peer-credentials.ts";
import { startPeering } from "#peering/start-peering.ts";

const ADDRESS = "127.0.0.1";
const CIPHERS = new Set([
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
]);
const OLD = ["ssl 2", "ssl 3", "tls 1.0", "tls 1.1", "tls 1.2"];
const run = promisify(execFile);
const stack = new AsyncDisposableStack();
const ports = new Map<string, number>();

async function openNodePort(): Promise<number> {
  const credentials = await (await createLabAuthority()).issue("a");
  return stack.use(await startPeering({ address: ADDRESS, port: 0, credentials })).port;
}

async function openAgentPort(): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-ports-"));
  stack.defer(() => rmSync(directory, { recursive: true }));
  const authority = makeAuthority(directory, "authority");
  const names = ["URI:spiffe://fleet.test/fairlead/node/one"];
  const { cert, key } = issueCertificate(directory, "node", { authority, names });
  const tls = { caFile: authority.cert, certFile: cert, keyFile: key };
  const fabric = stack.use(await openTestFabric(directory, { listen: `${ADDRESS}:0`, tls }));
  const address = fabric.addresses.find((one) => !one.startsWith("unix:")) ?? "";
  return Number(address.slice(address.lastIndexOf(":") + 1));
}

async function openApiPort(): Promise<number> {
  const running = stack.use(await startApi());
  const tls = await makeServerCertificate({ names: [ADDRESS], nowMs: Date.now() });
  return (await running.api.listenTcp(ADDRESS, 0, tls)).port;
}

before(async () => {
  ports.set("a node's", await openNodePort());
  ports.set("the agents'", await openAgentPort());
  ports.set("the API's", await openApiPort());
});
after(() => stack.disposeAsync());

/** The attributes of each element of that name, in what sslscan writes. */
function listElements(xml: string, name: string): readonly Readonly<Record<string, string>>[] {
  return [...xml.matchAll(new RegExp(`<${name} ([^>]*?)/?>`, "g"))].map(([, text = ""]) =>
    Object.fromEntries(
      [...text.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key, value]),
    ),
  );
}

for (const whose of ["a node's", "the agents'", "the API's"])
  test(`at ${whose} port a scanner finds TLS 1.3 with its three ciphers, and nothing older`, async () => {
    const place = `${ADDRESS}:${ports.get(whose)}`;
    // Not waited for in a way that keeps the servers, which are of this process, from answering.
    const { stdout } = await run("sslscan", ["--xml=-", "--no-colour", place]);
    const seen = listElements(stdout, "protocol").map(({ type, version, enabled }) => ({
      name: `${type} ${version}`,
      enabled,
    }));
    const names = (is: string) =>
      seen.filter(({ enabled }) => enabled === is).map((one) => one.name);
    assert.deepEqual([names("1"), names("0")], [["tls 1.3"], OLD]);
    const ciphers = listElements(stdout, "cipher");
    assert.deepEqual(new Set(ciphers.map(({ cipher }) => cipher)), CIPHERS);
    assert.deepEqual([...new Set(ciphers.map(({ sslversion }) => sslversion))], ["TLSv1.3"]);
    const [renegotiation] = listElements(stdout, "renegotiation");
    assert.equal(renegotiation?.["supported"], "0");
    assert.ok(listElements(stdout, "heartbleed").every(({ vulnerable }) => vulnerable === "0"));
  });
