// SPDX-License-Identifier: Apache-2.0
// A node as a process of its own: started by `up`, seen by `status`, ended by `node stop`; no engine is needed for that.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { runFairlead } from "./testing/run-fairlead.ts";

describe("a node in the background", () => {
  let directory: string;
  let env: Record<string, string>;
  const run = (line: string, more: Record<string, string> = {}) =>
    runFairlead(line.split(" "), { cwd: directory, env: { ...env, ...more } });

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "fairlead-life-"));
    await writeFile(join(directory, "compose.yaml"), "name: life\nservices:\n  a:\n    image: a\n");
    env = {
      DOCKER_HOST: `unix://${directory}/nosuch.sock`,
      FAIRLEAD_STATE_DIR: join(directory, "state"),
      FAIRLEAD_SOCKET: join(directory, "node.sock"),
      FAIRLEAD_LISTEN: "off",
      XDG_CACHE_HOME: join(directory, "cache"),
    };
  });
  afterEach(async () => {
    await run("node stop");
    await rm(directory, { recursive: true, force: true });
  });

  test("up starts one, says its pid and its log, and exits 3 while no engine answers", async () => {
    const { code, stderr } = await run("up");
    const pid = Number(/^started a node: pid (\d+), log (\S+);/m.exec(stderr)?.[1]);
    assert.ok(pid > 0, stderr);
    assert.match(stderr, /^error FL0704 engine-away/m);
    assert.equal(code, 3);
    assert.ok(process.kill(pid, 0), "it stays when the command ends");
    assert.ok(existsSync(join(directory, "state/node.log")));

    const status = await run("status -o json");
    assert.equal(status.code, 3);
    assert.equal(JSON.parse(status.stdout).items[0].pid, pid);

    const again = await run("up");
    assert.doesNotMatch(again.stderr, /started a node/);

    const stopped = await run("node stop");
    assert.equal(stopped.stderr, `node with pid ${pid} has ended; containers go on without it\n`);
    assert.throws(() => process.kill(pid, 0));
    assert.equal((await run("status")).code, 3);
  });

  test("two commands at the same moment share one node", async () => {
    const runs = await Promise.all([run("up"), run("up")]);
    for (const { stderr } of runs) assert.match(stderr, /^error FL0704 engine-away/m);
    const started = runs.filter(({ stderr }) => stderr.includes("started a node"));
    assert.equal(started.length, 1);
  });

  test("one that cannot start is told with the end of its log", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    const { code, stderr } = await run("up", { FAIRLEAD_LISTEN: `127.0.0.1:${address.port}` });
    server.close();
    assert.equal(code, 3);
    assert.match(stderr, /^error FL0614 node-died[^]*said +[^]*error FL0502 port-in-use/m);
    assert.equal(existsSync(join(directory, "node.sock")), false);
  });

  test("plan and --dry-run start none", async () => {
    for (const line of ["plan", "up --dry-run", "down --dry-run", "ps -A", "why a"]) {
      const { code, stderr } = await run(line);
      assert.equal(code, 3, line);
      assert.match(stderr, /^error FL0611 node-unreachable/);
    }
    assert.equal(existsSync(join(directory, "state")), false);
  });
});
