// SPDX-License-Identifier: Apache-2.0
// A node as a process of its own: started by `up`, seen by `status`, ended by `node stop`; no engine is needed for that.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { until } from "#lab/rig.ts";
import { listOwnFiles, removeOwnFiles } from "./own-files.ts";
import { runFairlead } from "./testing/run-fairlead.ts";

const PATIENCE_MS = 30_000;

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

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
      FAIRLEAD_SOCKET: join(directory, "run/node.sock"),
      XDG_STATE_HOME: join(directory, "own"),
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

    const nodes = await run("nodes -o json");
    const [self] = JSON.parse(nodes.stdout).items;
    assert.deepEqual(
      [self.state, self.self, self.address, self.port],
      ["alive", true, undefined, undefined],
    );
    assert.match((await run("nodes -o yaml")).stdout, /^ {4}state: alive$/m);
    assert.equal((await run("nodes -o name")).stdout, `${self.name}\n`);
    const wide = (await run("nodes -o wide")).stdout.split("\n")[1] ?? "";
    assert.match(wide, /^\S+ \(this\) +\S+ +alive +- +- +- +- +- +\d+ +[\d.]+GiB +- +linux\/\S+ /);

    const again = await run("up");
    assert.doesNotMatch(again.stderr, /started a node/);

    const stopped = await run("node stop");
    assert.equal(stopped.stderr, `node with pid ${pid} has ended; containers go on without it\n`);
    // Who adopted it may not have taken note of its end yet: such a process runs nothing.
    const state = readIfThere(`/proc/${pid}/stat`);
    assert.match(state, /^$|\) Z /);
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
    assert.equal(existsSync(join(directory, "run/node.sock")), false);
  });

  test("SIGHUP lets it read its settings again, in its own process; with bad ones it goes on", async () => {
    const file = join(directory, "fairlead.yaml");
    env["FAIRLEAD_CONFIG"] = file;
    // Nothing while nobody answers: between two lives in one process the socket is not there.
    const read = async () => {
      const { stdout } = await run("status -o json");
      return stdout === "" ? undefined : JSON.parse(stdout).items[0];
    };
    await writeFile(file, "nodeName: one\n");
    await run("up");
    const { pid, startedAtMs, node } = await read();
    assert.equal(node, "one");

    await writeFile(file, "nodeName: [\n");
    process.kill(pid, "SIGHUP");
    await until("it says no", PATIENCE_MS, async () =>
      readFileSync(join(directory, "state/node.log"), "utf8").includes(
        "the settings are not read again: ",
      ),
    );
    await writeFile(file, "nodeName: one\n");
    assert.equal((await read()).startedAtMs, startedAtMs);

    await writeFile(file, "nodeName: two\n");
    process.kill(pid, "SIGHUP");
    await until("it has the new name", PATIENCE_MS, async () => (await read())?.node === "two");
    assert.equal((await read()).pid, pid);
  });

  test("everything it has made is on the list of what uninstall removes, and nothing else is", async () => {
    const listAll = (): string[] =>
      readdirSync(directory, { recursive: true, encoding: "utf8" }).toSorted();
    await mkdir(join(directory, "own"));
    const before = listAll();
    const foreign = join(directory, "state", "discovery-key");
    await run("up");
    await writeFile(foreign, "a key of sixteen bytes");
    await run("doctor --skip FL0857=vxlan --until 1d");
    await run("node stop");
    const world = { env: { ...env, XDG_STATE_HOME: join(directory, "own") } };
    const places = {
      stateDir: join(directory, "state"),
      socket: join(directory, "run/node.sock"),
      fabricSocket: join(directory, "run/fabric/fabric.sock"),
    };
    const made = listOwnFiles(world, places);
    const open = made.files.filter(
      (path) => path.startsWith(places.stateDir) && (statSync(path).mode & 0o077) !== 0,
    );
    assert.deepEqual(open, [], "what others of this host could read");
    for (const name of ["token", "fabric-secret", "node.log", "messages/log.db", "store/store.db"])
      assert.ok(made.files.includes(join(directory, "state", name)), name);
    assert.deepEqual(removeOwnFiles(made), { left: [], kept: [foreign] });
    assert.deepEqual(listAll(), [...before, "state", "state/discovery-key"].toSorted());
    rmSync(foreign);
    assert.deepEqual(
      listOwnFiles(world, places),
      { files: [], directories: [] },
      "what was made is known no more",
    );
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
