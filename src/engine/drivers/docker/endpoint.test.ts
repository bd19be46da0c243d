// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseEndpoint, resolveEndpoint } from "./endpoint.ts";

let directory: string;

before(() => {
  directory = mkdtempSync(join(tmpdir(), "fairlead-endpoint-"));
});
after(() => rmSync(directory, { recursive: true, force: true }));

/** A directory of files, each with its own name as content unless given. */
function makeFiles(name: string, files: Readonly<Record<string, string>>): string {
  const path = join(directory, name);
  mkdirSync(path, { recursive: true });
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), text);
  }
  return path;
}

const PEMS = { "ca.pem": "ca", "cert.pem": "cert", "key.pem": "key" };
const idOf = (context: string) => createHash("sha256").update(context).digest("hex");

describe("addresses", () => {
  test("of every form are read", () => {
    const unix = parseEndpoint("unix:///run/d.sock");
    assert.ok(unix.kind === "unix" && unix.socketPath === "/run/d.sock");
    const plain = parseEndpoint("tcp://h");
    assert.ok(plain.kind === "tcp" && plain.port === 2375 && plain.tls === undefined);
    const secure = parseEndpoint("https://[::1]");
    assert.ok(secure.kind === "tcp" && secure.host === "::1" && secure.port === 2376);
    assert.ok(secure.tls?.verify === true);
    const six = parseEndpoint("tcp://[fd00::1]:2375");
    assert.ok(six.kind === "tcp" && six.host === "fd00::1" && six.port === 2375);
  });
  test("of other forms are refused, ssh with the way around", () => {
    for (const bad of ["", "unix://", "tcp://h:x", "tcp://fd00::1:2375", "/run/docker.sock"])
      assert.throws(() => parseEndpoint(bad), /is not an address/);
    assert.throws(
      () => parseEndpoint("ssh://h"),
      ({ remedy }: { remedy: string }) => remedy.includes("ssh -L"),
    );
  });
});

describe("DOCKER_HOST", () => {
  test("is spoken to in TLS with the files of DOCKER_CERT_PATH, a given address too", () => {
    const certificates = makeFiles("full", PEMS);
    const env = {
      DOCKER_HOST: "tcp://a:1",
      DOCKER_TLS_VERIFY: "1",
      DOCKER_CERT_PATH: certificates,
    };
    for (const given of ["", "tcp://b:1"]) {
      const endpoint = resolveEndpoint(given, env);
      assert.ok(endpoint.kind === "tcp");
      assert.deepEqual(endpoint.tls, { ca: "ca", cert: "cert", key: "key", verify: true });
    }
    const unchecked = resolveEndpoint("", { ...env, DOCKER_TLS_VERIFY: "" });
    assert.ok(unchecked.kind === "tcp" && unchecked.tls?.verify === false);
    const unix = resolveEndpoint("unix:///d.sock", env);
    assert.equal(unix.kind, "unix");
  });
  test("without DOCKER_CERT_PATH takes the files beside Docker's settings", () => {
    const configured = makeFiles("config", PEMS);
    const env = { DOCKER_HOST: "tcp://a", DOCKER_TLS_VERIFY: "1", DOCKER_CONFIG: configured };
    const endpoint = resolveEndpoint("", env);
    assert.ok(endpoint.kind === "tcp" && endpoint.tls?.ca === "ca" && endpoint.port === 2376);
  });
  test("whose files are missing, half there or unreadable is an error with the path", () => {
    const cases = [
      ["nothing", {}, /nothing\/ca\.pem is missing/],
      ["no-key", { "ca.pem": "ca", "cert.pem": "cert" }, /no-key\/key\.pem is missing/],
      ["no-cert", { "ca.pem": "ca", "key.pem": "key" }, /no-cert\/cert\.pem is missing/],
      ["odd", { "ca.pem/is/a": "directory" }, /odd\/ca\.pem cannot be read/],
    ] as const;
    for (const [name, files, message] of cases) {
      const DOCKER_CERT_PATH = makeFiles(name, files);
      const env = { DOCKER_HOST: "tcp://a:1", DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH };
      assert.throws(() => resolveEndpoint("", env), message);
    }
  });
});

describe("a context", () => {
  const meta = (context: string, text: string) => ({
    [`contexts/meta/${idOf(context)}/meta.json`]: text,
  });
  const remote = JSON.stringify({ Endpoints: { docker: { Host: "tcp://far:2376" } } });

  test("names its engine, with its own TLS files", () => {
    const DOCKER_CONFIG = makeFiles("contexts", {
      ...meta("far", remote),
      ...Object.fromEntries(
        Object.entries(PEMS).map(([file, text]) => [
          `contexts/tls/${idOf("far")}/docker/${file}`,
          text,
        ]),
      ),
    });
    const endpoint = resolveEndpoint("far", { DOCKER_CONFIG });
    assert.ok(endpoint.kind === "tcp" && endpoint.host === "far");
    assert.deepEqual(endpoint.tls, { ca: "ca", cert: "cert", key: "key", verify: true });
  });
  test("is the given one, else DOCKER_HOST, DOCKER_CONTEXT, the current one, the usual socket", () => {
    const host = (name: string) =>
      JSON.stringify({ Endpoints: { docker: { Host: `unix:///${name}.sock` } } });
    const DOCKER_CONFIG = makeFiles("order", {
      ...meta("given", host("given")),
      ...meta("named", host("named")),
      ...meta("current", host("current")),
      "config.json": JSON.stringify({ currentContext: "current" }),
    });
    const text = (given: string, more = {}) =>
      resolveEndpoint(given, { DOCKER_CONFIG, ...more }).text;
    const DOCKER_HOST = "unix:///host.sock";
    const DOCKER_CONTEXT = "named";
    assert.equal(text("given", { DOCKER_HOST, DOCKER_CONTEXT }), "unix:///given.sock");
    assert.equal(text("", { DOCKER_HOST, DOCKER_CONTEXT }), DOCKER_HOST);
    assert.equal(text("", { DOCKER_CONTEXT }), "unix:///named.sock");
    assert.equal(text(""), "unix:///current.sock");
    assert.equal(text("default", { DOCKER_HOST }), "unix:///var/run/docker.sock");
    assert.equal(text("", { DOCKER_CONTEXT: "default" }), "unix:///var/run/docker.sock");
    assert.equal(
      resolveEndpoint("", { DOCKER_CONFIG: directory }).text,
      "unix:///var/run/docker.sock",
    );
  });
  test("that is not there, not JSON or names no engine is an error with where it was looked for", () => {
    const DOCKER_CONFIG = makeFiles("broken", {
      ...meta("odd", "{"),
      ...meta("empty", "{}"),
      "config.json": "{",
    });
    const env = { DOCKER_CONFIG };
    assert.throws(() => resolveEndpoint("nope", env), /no Docker context "nope"/);
    assert.throws(() => resolveEndpoint("odd", env), /"odd" is not JSON/);
    assert.throws(() => resolveEndpoint("empty", env), /"empty" names no engine/);
    assert.throws(() => resolveEndpoint("", env), /config\.json is not JSON/);
  });
});
