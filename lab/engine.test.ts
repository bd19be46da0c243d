// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { callEngine, readContainerPid, runContainer } from "./call-engine.ts";
import { startEngine, type LabEngine } from "./engine.ts";
import { importBusybox, importNode } from "./images.ts";
import { readStartTicks } from "./ledger.ts";
import { fetchFrom } from "./reach.ts";
import { until } from "./rig.ts";

describe("startEngine()", () => {
  let engine: LabEngine;
  before(async () => {
    engine = await startEngine({ liveRestore: true });
    await importBusybox(engine);
  });
  after(() => engine[Symbol.asyncDispose]());

  it("gives an engine that runs containers and publishes their ports in its own network", async () => {
    const script = "echo hello > /tmp/index.html; exec httpd -f -p 80 -h /tmp";
    await runContainer(engine, "web", {
      Cmd: ["sh", "-c", script],
      ExposedPorts: { "80/tcp": {} },
      HostConfig: { PortBindings: { "80/tcp": [{ HostPort: "8080" }] } },
    });
    const ask = () => fetchFrom(engine, "http://127.0.0.1:8080/index.html").catch(() => undefined);
    await until("the server answers", 10_000, async () => (await ask())?.text === "hello\n");
  });

  it("runs this Node in an image made without a registry", async () => {
    await importNode(engine, "node:lab", "console.log(process.version)");
    await callEngine(engine, "POST", "/containers/create?name=node", { Image: "node:lab" });
    await callEngine(engine, "POST", "/containers/node/start");
    const ended = await callEngine(engine, "POST", "/containers/node/wait");
    assert.deepEqual(ended.body, { Error: null, StatusCode: 0 });
  });

  it("leaves the machine's own interfaces and firewall alone", () => {
    const interfaces = readFileSync("/proc/net/dev", "utf8");
    assert.doesNotMatch(interfaces, new RegExp(engine.netns));
    assert.notEqual(readNetwork(engine.pid()), readNetwork(process.pid));
  });

  it("keeps its containers through kill -9 of dockerd and finds them again", async () => {
    await runContainer(engine, "survivor");
    const pid = await readContainerPid(engine, "survivor");
    await engine.kill();
    await engine.start();
    assert.equal(await readContainerPid(engine, "survivor"), pid);
  });

  it("hangs while paused and answers after", async () => {
    engine.pause();
    const answer = callEngine(engine, "GET", "/version");
    assert.match(readFileSync(`/proc/${engine.pid()}/status`, "utf8"), /^State:\s+T/m);
    engine.resume();
    await answer;
  });
});

function readNetwork(pid: number): string {
  return readFileSync(`/proc/${pid}/net/dev`, "utf8").replace(/\d+/g, "");
}

describe("disposing of an engine", () => {
  it("leaves no process, mount, control group or file", async () => {
    const engine = await startEngine();
    await importBusybox(engine);
    await runContainer(engine, "one");
    const pid = await readContainerPid(engine, "one");
    assert.notEqual(readStartTicks(pid), undefined);
    engine.pause();
    await engine[Symbol.asyncDispose]();
    assert.equal(readStartTicks(pid), undefined);
    assert.equal(existsSync(engine.dataRoot), false);
    assert.equal(existsSync(`/run/netns/${engine.netns}`), false);
    assert.equal(existsSync(`/sys/fs/cgroup/pids${engine.cgroup}`), false);
    assert.equal(readFileSync("/proc/self/mounts", "utf8").includes(engine.dataRoot), false);
  });
});
