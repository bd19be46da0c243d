// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { request } from "node:http";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { after, before, beforeEach, describe, it } from "node:test";
import { callEngine, runContainer } from "./call-engine.ts";
import { startEngine, type LabEngine } from "./engine.ts";
import { importBusybox } from "./images.ts";
import { until } from "./rig.ts";
import { createSocketProxy, type SocketProxy } from "./socket-proxy.ts";

/** Runs a command in a container through the upgraded connection; resolves with what came back. */
async function execThrough(proxy: SocketProxy, input: string): Promise<string> {
  const flags = { AttachStdin: true, AttachStdout: true, Tty: true };
  const made = await callEngine(proxy, "POST", "/containers/one/exec", {
    ...flags,
    Cmd: ["head", "-n", "1"],
  });
  const { Id } = made.body as { Id: string };
  const socket = await new Promise<Duplex>((resolve, reject) => {
    const sent = request({
      socketPath: proxy.socketPath,
      method: "POST",
      path: `/exec/${Id}/start`,
      headers: {
        connection: "Upgrade",
        upgrade: "tcp",
        "content-type": "application/json",
        "content-length": 14,
      },
    });
    sent.on("upgrade", (_, stream) => resolve(stream)).on("error", reject);
    sent.end('{"Tty":true  }');
  });
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  socket.write(input);
  await new Promise((resolve) => socket.once("close", resolve).once("end", resolve));
  return text;
}

describe("createSocketProxy()", () => {
  let engine: LabEngine;
  let proxy: SocketProxy;
  before(async () => {
    engine = await startEngine();
    await importBusybox(engine);
    proxy = await createSocketProxy(engine.socketPath, join(engine.dataRoot, "../proxy.sock"));
  });
  beforeEach(() => {
    proxy.release();
    proxy.forget();
  });
  after(async () => {
    await proxy[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
  });

  it("passes calls on and tells reads from writes", async () => {
    await runContainer(proxy, "one");
    assert.equal((await callEngine(proxy, "GET", "/containers/one/json")).status, 200);
    assert.deepEqual(
      proxy.requests.map(({ method, path, status }) => [method, path, status]),
      [
        ["POST", "/containers/create?name=one", 201],
        ["POST", "/containers/one/start", 204],
        ["GET", "/containers/one/json", 200],
      ],
    );
    assert.equal(proxy.writes().length, 2);
  });

  it("carries an upgraded connection in both directions", async () => {
    assert.match(await execThrough(proxy, "there and back\n"), /there and back/);
    assert.equal(proxy.writes().at(-1)?.status, 101);
  });

  it("carries events while they happen", async () => {
    const { socketPath } = proxy;
    const seen = new Promise<string>((resolve, reject) => {
      const sent = request({ socketPath, path: "/events" }, (response) => {
        response.setEncoding("utf8").once("data", (chunk: string) => {
          resolve(chunk);
          response.destroy();
        });
        void callEngine(engine, "POST", "/volumes/create", { Name: "seen" });
      });
      sent.on("error", reject).end();
    });
    assert.match(await seen, /"seen"/);
  });

  it("hangs chosen requests until released", async () => {
    proxy.hang((seen) => seen.path === "/version");
    let answered = false;
    const answer = callEngine(proxy, "GET", "/version").then(() => (answered = true));
    await callEngine(proxy, "GET", "/info");
    assert.equal(answered, false);
    proxy.release();
    assert.equal(await answer, true);
  });

  it("passes muted requests on and holds their answers back until it is released", async () => {
    proxy.mute((seen) => seen.path === "/volumes/create");
    let answered = false;
    const made = callEngine(proxy, "POST", "/volumes/create", { Name: "muted" });
    const answer = made.then(() => (answered = true));
    await until("the engine has done it", 10_000, () =>
      proxy.requests.some(({ path, status }) => path === "/volumes/create" && status === 201),
    );
    assert.equal((await callEngine(proxy, "GET", "/volumes/muted")).status, 200);
    assert.equal(answered, false);
    proxy.release();
    assert.equal(await answer, true);
  });

  it("cuts the connection of refused requests and no others", async () => {
    proxy.refuse((seen) => seen.method === "DELETE");
    await assert.rejects(callEngine(proxy, "DELETE", "/containers/one"), { code: "ECONNRESET" });
    assert.equal((await callEngine(proxy, "GET", "/containers/one/json")).status, 200);
  });
});
