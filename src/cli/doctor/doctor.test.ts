// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runFairlead } from "#cli/testing/run-fairlead.ts";

interface Line {
  readonly name: string;
  readonly verdict: string;
  readonly id?: string;
  readonly facts?: readonly string[];
}

describe("fairlead doctor", () => {
  let directory: string;
  let engine: Server;
  let info: Record<string, unknown>;
  let aheadMs = 0;
  const asked: string[] = [];

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "fairlead-doctor-"));
    engine = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      if (request.url === "/_ping") {
        response.setHeader("Api-Version", "1.41");
        return void response.end("OK");
      }
      const version = { Version: "20.10.24", ApiVersion: "1.41" };
      const now = { ...info, SystemTime: new Date(Date.now() + aheadMs).toISOString() };
      response.end(JSON.stringify(request.url?.endsWith("/version") === true ? version : now));
    });
    await new Promise<void>((resolve) => engine.listen(join(directory, "docker.sock"), resolve));
  });
  after(async () => {
    engine.close();
    await rm(directory, { recursive: true, force: true });
  });

  async function examine(args: readonly string[], env: Record<string, string> = {}) {
    const run = await runFairlead(["doctor", "-o", "json", ...args], {
      env: {
        DOCKER_HOST: `unix://${directory}/docker.sock`,
        FAIRLEAD_SOCKET: join(directory, "none.sock"),
        FAIRLEAD_STATE_DIR: directory,
        FAIRLEAD_LISTEN: "off",
        ...env,
      },
    });
    const lines: Line[] = JSON.parse(run.stdout).items;
    return { code: run.code, find: (name: string) => lines.find((line) => line.name === name) };
  }

  const good = () => ({
    CgroupVersion: "2",
    Driver: "overlay2",
    DockerRootDir: directory,
    LiveRestoreEnabled: true,
    Warnings: null,
  });

  test("a good engine passes every test, asked with three GETs only", async () => {
    info = good();
    asked.length = 0;
    const { code, find } = await examine(["--only", "docker"]);
    assert.equal(code, 0);
    for (const name of ["engine", "api", "cgroup", "storage", "live-restore", "clock", "warnings"])
      assert.equal(find(name)?.verdict, "ok", name);
    assert.deepEqual(asked, ["GET /_ping", "GET /v1.41/version", "GET /v1.41/info"]);
  });

  test("an odd engine is told with codes and facts, and is a warning, not a failure", async () => {
    info = {
      ...good(),
      CgroupVersion: "1",
      Driver: "vfs",
      LiveRestoreEnabled: false,
      Warnings: ["No swap limit support"],
    };
    aheadMs = 60_000;
    const { code, find } = await examine(["--only", "docker"]);
    aheadMs = 0;
    assert.equal(code, 0);
    assert.equal(find("cgroup")?.id, "FL0852");
    assert.equal(find("storage")?.id, "FL0853");
    assert.equal(find("live-restore")?.id, "FL0854");
    assert.equal(find("clock")?.id, "FL0855");
    assert.deepEqual(find("warnings")?.facts, ["No swap limit support"]);
  });

  test("an engine that does not answer is a failure, exit 1; its other tests are not testable", async () => {
    const { code, find } = await examine(["--only", "docker"], {
      DOCKER_HOST: "unix:///nosuch.sock",
    });
    assert.equal(code, 1);
    assert.equal(find("engine")?.id, "FL0850");
    assert.equal(find("api")?.verdict, "unknown");
    const named = await examine(["--only", "engine"], {
      DOCKER_HOST: "unix:///nosuch.sock",
      FAIRLEAD_ENGINE_ENDPOINT: "unix:///another.sock",
    });
    assert.match(named.find("engine")?.facts?.join(" ") ?? "", /another\.sock/);
  });

  test("a port that is taken is told with who holds it", async () => {
    const server = createTcpServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    const { code, find } = await examine(["--only", "port"], {
      FAIRLEAD_LISTEN: `127.0.0.1:${address.port}`,
    });
    server.close();
    assert.equal(code, 1);
    assert.equal(find("port")?.id, "FL0860");
    assert.match(find("port")?.facts?.at(-1) ?? "", new RegExp(`^held by .*pid ${process.pid}`));
  });

  test("kernel features are tried without leaving an interface or a table behind", async () => {
    const { readdirSync } = await import("node:fs");
    const interfaces = readdirSync("/sys/class/net").sort();
    const { code, find } = await examine(["--only", "kernel"]);
    assert.equal(code, 0, "a missing feature is said, not a failure");
    for (const name of ["nftables", "vxlan", "wireguard", "tun", "bridge", "macvlan", "netem"])
      assert.match(find(name)?.verdict ?? "", /^(ok|missing|unknown)$/, name);
    assert.deepEqual(readdirSync("/sys/class/net").sort(), interfaces);
  });

  test("--skip ID=OBJECT --until silences one finding, is remembered, said in the last line, and lifted by 0", async () => {
    info = { ...good(), Driver: "vfs", LiveRestoreEnabled: false };
    const env = { XDG_STATE_HOME: join(directory, "state-of-user") };
    const skip = ["--only", "docker", "--skip", "FL0853=storage"];
    const first = await examine([...skip, "--until", "2d"], env);
    assert.equal(first.find("storage")?.verdict, "silenced");
    assert.equal(first.find("live-restore")?.verdict, "warn", "another finding stays");

    const { find } = await examine(["--only", "docker"], env);
    assert.equal(find("storage")?.verdict, "silenced");
    const read = await runFairlead(["doctor", "--only", "docker"], {
      env: { DOCKER_HOST: `unix://${directory}/docker.sock`, ...env },
    });
    assert.match(read.stdout, /; silenced FL0853=storage until \d{4}-\d\d-\d\d [\d:]{8}\n$/);
    assert.doesNotMatch(read.stdout, /storage-slow/);

    const lifted = await examine([...skip, "--until", "0"], env);
    assert.equal(lifted.find("storage")?.verdict, "warn");
    assert.equal((await examine(["--only", "docker"], env)).find("storage")?.verdict, "warn");
  });

  test("without --until, --skip ID=OBJECT holds for one run, and a silenced failure is no failure", async () => {
    const env = { DOCKER_HOST: "unix:///nosuch.sock" };
    const args = ["--only", "docker"];
    assert.equal((await examine([...args, "--skip", "FL0850=engine"], env)).code, 0);
    assert.equal((await examine(args, env)).code, 1);
  });

  test("words that silence nothing are refused with what would", async () => {
    const cases = {
      "--skip FL0899=vxlan": /^error FL0605[^]*FL0850 to FL08\d\d/,
      "--skip FL0853=": /^error FL0605[^]*names no object/,
      "--until 2d": /^error FL0603[^]*--skip FL0857=vxlan --until 2d/,
      "--skip FL0853=storage --until 1000d": /^error FL0605[^]*at most 366d/,
    };
    for (const [line, form] of Object.entries(cases)) {
      const run = await runFairlead(["doctor", ...line.split(" ")]);
      assert.equal(run.code, 2, line);
      assert.match(run.stderr, form, line);
    }
    const env = { XDG_STATE_HOME: "/dev/null/nosuch" };
    const kept = await runFairlead(
      ["doctor", "--only", "port", "--skip", "FL0853=storage", "--until", "1d"],
      { env },
    );
    assert.match(kept.stderr, /^error FL0620 not-kept/);
  });

  test("--skip leaves a group out; -q says nothing", async () => {
    info = good();
    const { find } = await examine(["--skip", "kernel,net,host"]);
    assert.equal(find("vxlan"), undefined);
    assert.equal(find("node")?.id, "FL0865");
    const quiet = await runFairlead(["doctor", "-q", "--only", "host"]);
    assert.deepEqual([quiet.stdout, quiet.stderr, quiet.code], ["", "", 0]);
  });
});
