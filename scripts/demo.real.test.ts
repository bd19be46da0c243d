// SPDX-License-Identifier: Apache-2.0
// The demo on an engine that is somebody's: it heals, it goes when told to, and what was there before is still there.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { IMAGE, openRig, type Rig } from "#lab/rig.ts";

const DEMO = fileURLToPath(new URL("demo.ts", import.meta.url));
const PATIENCE_MS = 240_000;
let rig: Rig;
let demo: ChildProcess | undefined;

before(async () => {
  rig = await openRig();
  docker("run", "-d", "--name", "stranger", "-v", "kept:/kept", IMAGE);
});
after(async () => {
  demo?.kill("SIGINT");
  await rig[Symbol.asyncDispose]();
});

function docker(...args: readonly string[]): readonly string[] {
  const run = spawnSync("docker", ["-H", rig.lab.endpoint, ...args], { encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
  return run.stdout.trim().split("\n");
}

/** Everything the engine has, layers of builds included. */
function listAll(): readonly string[] {
  return [
    ...docker("ps", "-a", "--no-trunc", "--format", "container {{.ID}} {{.State}}"),
    ...docker("network", "ls", "--format", "network {{.Name}}"),
    ...docker("volume", "ls", "--format", "volume {{.Name}}"),
    ...docker("images", "-a", "--no-trunc", "--format", "image {{.ID}}"),
  ].sort();
}

/** Runs the demo; sends it a signal once it has said what `at` looks for. */
function runDemo(
  args: readonly string[],
  at?: RegExp,
  host: string = rig.lab.endpoint,
  signal: NodeJS.Signals = "SIGINT",
): Promise<{ code: number | null; said: string }> {
  return new Promise((resolve, reject) => {
    const env = {
      ...process.env,
      DOCKER_HOST: host,
      FAIRLEAD_LISTEN: "127.0.0.1:7197",
    };
    const child = spawn(process.execPath, [DEMO, ...args], { env, timeout: PATIENCE_MS });
    demo = child;
    let said = "";
    let signalled = false;
    const hear = (text: string): void => {
      said += text;
      if (signalled || at === undefined || !at.test(said)) return;
      signalled = true;
      child.kill(signal);
    };
    child.stdout.setEncoding("utf8").on("data", hear);
    child.stderr.setEncoding("utf8").on("data", hear);
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, said }));
  });
}

test("--once heals every fault, removes what it made and what a killed one left, and nothing else", async () => {
  const before = listAll();
  await runDemo([], /created publisher/, rig.lab.endpoint, "SIGKILL");
  const { code, said } = await runDemo(["--once"]);
  assert.equal(code, 0, said);
  assert.match(said, /^removed .* killed \(pid \d+\): [1-9] containers, 1 networks, .* 2 images$/m);
  assert.match(said, /^summary {3}3 of 3 faults healed, nothing left/m);
  assert.match(said, new RegExp(`^engine .* at ${rig.lab.endpoint}$`, "m"));
  assert.deepEqual(listAll(), before);
});

test("Ctrl-C while it waits for the next fault removes what it made and proves it", async () => {
  const before = listAll();
  const { code, said } = await runDemo([], /^next {6}a fault in/m);
  assert.equal(code, 0, said);
  assert.match(said, /^proof {5}0 containers, 0 networks, 0 volumes, 0 images left$/m);
  assert.deepEqual(listAll(), before);
});

test("Ctrl-C before the stack is up removes what there is of it", async () => {
  const before = listAll();
  const { code, said } = await runDemo([], /^made /m);
  assert.equal(code, 0, said);
  assert.match(said, /^proof {5}0 containers, 0 networks, 0 volumes, 0 images left$/m);
  assert.deepEqual(listAll(), before);
});

/** Command lines of all processes that have this text in them. */
function listProcesses(text: string): readonly string[] {
  const lines = readdirSync("/proc").flatMap((pid) => {
    try {
      return /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/cmdline`, "utf8") : [];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
  return lines.filter((line) => line.includes(text));
}

const listLinks = (): readonly string[] => readdirSync("/sys/class/net").sort();

test("where no engine answers it starts one of its own, and leaves neither process, file nor bridge, nor one of a killed one", async () => {
  const links = listLinks();
  const nobody = `unix://${rig.directory}/nobody.sock`;
  await runDemo([], /created publisher/, nobody, "SIGKILL");
  const { code, said } = await runDemo([], /^next {6}a fault in/m, nobody);
  assert.equal(code, 0, said);
  const [, directory = ""] =
    /^engine .* at unix:\/\/(\S+)\/engine\/docker\.sock \(private/m.exec(said) ?? [];
  assert.notEqual(directory, "", said);
  assert.match(said, /^removed .* killed \(pid \d+\): [1-9] containers.*, its private engine$/m);
  assert.match(said, /^proof {5}0 containers.* 0 images left; the private engine is gone$/m);
  assert.equal(existsSync(directory), false);
  assert.deepEqual(listProcesses(directory), []);
  assert.deepEqual(listLinks(), links);
});
