// SPDX-License-Identifier: Apache-2.0
// M05: gRPC's interoperability cases between the fabric's own gRPC and Debian's grpcio, both ways, with mutual TLS.
import assert from "node:assert/strict";
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { on, once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openSession } from "@fairlead/fabric/grpc/dial.ts";
import { createHealthMethods, type Health } from "@fairlead/fabric/grpc/health.ts";
import { listen, type Listener } from "@fairlead/fabric/grpc/listen.ts";
import { openTlsFiles, type TlsFiles, type TlsSource } from "@fairlead/fabric/grpc/tls-files.ts";
import { z } from "zod";
import { issueCertificate, makeAuthority } from "#lab/certificates.ts";
import { CALL_CASES } from "./grpc-interop/call-cases.ts";
import { callWith, startCall } from "./grpc-interop/caller.ts";
import { findMethod } from "./grpc-interop/messages.ts";
import { serveCases } from "./grpc-interop/serve-cases.ts";

const HERE = fileURLToPath(new URL("grpc-interop/", import.meta.url));
/** Debian's own: another Python on the path has no grpcio. */
const PYTHON = "/usr/bin/python3";
const CASES = z
  .object({ cases: z.array(z.object({ name: z.string() })) })
  .parse(JSON.parse(readFileSync(`${HERE}cases.json`, "utf8")))
  .cases.map(({ name }) => name);
const BEYOND = ["many_at_once", "health"];
/** Where grpcio cannot see what a case wants to know, so that only the rest of it is held there. */
const UNSEEN: Readonly<Record<string, string>> = {
  "served here: server_compressed_unary":
    "grpcio does not tell its caller whether an answer came compressed",
  "served here: server_compressed_streaming":
    "grpcio does not tell its caller whether an answer came compressed",
  "served here: client_compressed_streaming":
    "grpcio compresses all messages of a call or none, so both of the stream are",
  "called from here: client_compressed_unary":
    "grpcio does not tell its service whether a request came compressed, so there is no probe",
  "called from here: client_compressed_streaming":
    "grpcio does not tell its service whether a request came compressed, so there is no probe",
};

let made: string;
let files: TlsFiles;
let tls: TlsSource;

function startPython(program: string, args: readonly string[]) {
  const env = { PYTHONPATH: made, PYTHONDONTWRITEBYTECODE: "1" };
  const child: ChildProcess = spawn(PYTHON, [`${HERE}${program}`, ...args], {
    env,
    stdio: ["pipe", "pipe", "inherit"],
  });
  assert.ok(child.stdout !== null);
  const lines = on(createInterface(child.stdout), "line", { close: ["close"] });
  return {
    child,
    async ask(line?: string): Promise<string> {
      if (line !== undefined) child.stdin?.write(`${line}\n`);
      const { value } = await lines.next();
      return String(value);
    },
    async end() {
      child.stdin?.end();
      if (child.exitCode === null) await once(child, "exit");
    },
  };
}

const pems = (): readonly string[] => [files.caFile, files.certFile, files.keyFile];

before(() => {
  made = mkdtempSync(joinPath(tmpdir(), "fairlead-interop-"));
  execFileSync("protoc", [
    `-I${HERE}`,
    `--python_out=${made}`,
    `--grpc_out=${made}`,
    "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin",
    "test-service.proto",
    "health.proto",
  ]);
  const authority = makeAuthority(made, "authority");
  const { cert, key } = issueCertificate(made, "peer", { authority, names: ["IP:127.0.0.1"] });
  files = { caFile: authority.cert, certFile: cert, keyFile: key };
  tls = openTlsFiles(files);
});
after(() => {
  tls?.[Symbol.dispose]();
  rmSync(made, { recursive: true, force: true });
});

describe("served here, called by grpcio", () => {
  const served = serveCases();
  const health = new Map<string, Health>([
    ["", "serving"],
    ["grpc.testing.TestService", "serving"],
  ]);
  const listeners = new Set<() => void>();
  let listener: Listener;
  let python: ReturnType<typeof startPython>;

  before(async () => {
    const ask = (service: string): Health => {
      if (service === "start late") {
        health.set("late", "serving");
        for (const tell of listeners) tell();
        return "serving";
      }
      return health.get(service) ?? "service-unknown";
    };
    const watch = (tell: () => void): (() => void) => {
      listeners.add(tell);
      return () => void listeners.delete(tell);
    };
    listener = await listen({
      at: { host: "127.0.0.1", port: 0 },
      onTransport: () => undefined,
      methods: new Map([...served.methods, ...createHealthMethods(ask, watch)]),
      tls,
    });
    python = startPython("client.py", [listener.address, ...pems()]);
  });
  after(async () => {
    await python?.end();
    await listener?.[Symbol.asyncDispose]();
  });

  for (const name of [...CASES, ...BEYOND, "large_headers", "message_above_the_limit"])
    test(name, async (t) => {
      assert.equal(await python.ask(name), "ok");
      const unseen = UNSEEN[`served here: ${name}`];
      if (unseen !== undefined) t.diagnostic(unseen);
    });

  test("whoever gave up was noticed, and no watch is left", async () => {
    await python.end();
    for (let turn = 0; turn < 1_000 && listeners.size > 0; turn++)
      await new Promise((resolve) => setImmediate(resolve));
    assert.equal(listeners.size, 0);
    // Cancelled after the first answer, and the deadline that reached the server.
    assert.ok(served.canceled() >= 2, `${served.canceled()}`);
  });
});

describe("called from here, served by grpcio", () => {
  let python: ReturnType<typeof startPython>;
  let session: Awaited<ReturnType<typeof openSession>>["session"];

  before(async () => {
    python = startPython("server.py", pems());
    const address = `127.0.0.1:${await python.ask()}`;
    ({ session } = await openSession({ address, tls: tls.read(), timeoutMs: 20_000 }));
    session.on("error", () => undefined);
  });
  after(async () => {
    session?.close();
    await python?.end();
  });

  for (const name of [...CASES, ...BEYOND])
    test(name, async (t) => {
      const run = CALL_CASES[name];
      assert.ok(run !== undefined, `${name} is not written`);
      await run(session);
      const unseen = UNSEEN[`called from here: ${name}`];
      if (unseen !== undefined) t.diagnostic(unseen);
    });

  test("a name that the certificate has not is refused", async () => {
    const authority = makeAuthority(made, "other-authority");
    const { cert, key } = issueCertificate(made, "other", { authority, names: ["DNS:elsewhere"] });
    using other = openTlsFiles({ caFile: authority.cert, certFile: cert, keyFile: key });
    await using named = await listen({
      at: { host: "127.0.0.1", port: 0 },
      onTransport: () => undefined,
      tls: other,
    });
    const opening = openSession({ address: named.address, tls: other.read(), timeoutMs: 5_000 });
    await assert.rejects(opening, /does not match certificate/);
  });
});

describe("both ends here", () => {
  test("all cases, with every probe, and a message that is too large only once it is unpacked", async () => {
    const served = serveCases();
    const health = createHealthMethods((service) =>
      ["", "grpc.testing.TestService"].includes(service) ? "serving" : "service-unknown",
    );
    await using listener = await listen({
      at: { host: "127.0.0.1", port: 0 },
      onTransport: () => undefined,
      methods: new Map([...served.methods, ...health]),
      tls,
    });
    const { session } = await openSession({ address: listener.address, tls: tls.read() });
    for (const name of CASES) await CALL_CASES[name]?.(session);
    const unary = findMethod("grpc.testing.TestService", "UnaryCall");
    for (const value of [true, false]) {
      const request = { response_size: 1, expect_compressed: { value } };
      const wrong = await callWith(session, unary, request, { compressed: !value }).end;
      assert.equal(wrong.error?.code, "invalid_argument");
      const right = await callWith(session, unary, request, { compressed: value }).end;
      assert.equal(right.error, undefined);
    }
    const bomb = { payload: { body: Buffer.alloc(8_000_000) } };
    const { error } = await callWith(session, unary, bomb, { compressed: true }).end;
    assert.equal(error?.code, "resource_exhausted");
    session.close();
  });

  test("a caller that does not read holds the service back", async () => {
    const served = serveCases();
    await using listener = await listen({
      at: { host: "127.0.0.1", port: 0 },
      onTransport: () => undefined,
      methods: served.methods,
      tls,
    });
    const { session } = await openSession({ address: listener.address, tls: tls.read() });
    const output = findMethod("grpc.testing.TestService", "StreamingOutputCall");
    const call = startCall(session, output);
    call.pause();
    const wanted = Array.from({ length: 500 }, () => ({ size: 100_000 }));
    call.send({ response_parameters: wanted });
    call.close();
    let before = -1;
    while (served.made() === 0 || served.made() > before) {
      before = served.made();
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    // One window of the stream, and what the buffers of both ends hold.
    assert.ok(served.made() < 20_000_000, `${served.made()} bytes were made`);
    call.cancel();
    await call.end;
    session.close();
  });
});
