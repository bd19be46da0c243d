// SPDX-License-Identifier: Apache-2.0
// The agent in Python joins a real node by the .proto alone, is called, and calls.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { contract, join, rpc, type Agent } from "@fairlead/sdk";
import { z } from "zod";
import { openRig, type Rig } from "#lab/rig.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Debian's own: another Python on the path has no grpcio. */
const PYTHON = "/usr/bin/python3";
const greet = contract("greet", "1.0.0", {
  hello: rpc({ in: z.object({ name: z.string() }), out: z.object({ text: z.string() }) }),
});

let rig: Rig;
let agent: Agent;
let made: string;

before(async () => {
  made = mkdtempSync(joinPath(tmpdir(), "fairlead-python-"));
  execFileSync("protoc", [
    `-I${ROOT}packages/protocol`,
    `--python_out=${made}`,
    `--grpc_out=${made}`,
    "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin",
    "fabric.proto",
  ]);
  rig = await openRig();
  await rig.startNode();
  agent = await join({
    name: "host",
    kind: "agent",
    scope: "default",
    node: `unix:${rig.directory}/fabric/fabric.sock`,
  });
  await agent.serve(greet, {
    async hello({ name }, { caller }) {
      return { text: `hello ${name}, from ${caller.name}` };
    },
  });
});
after(async () => {
  await agent?.[Symbol.asyncDispose]();
  await rig?.[Symbol.asyncDispose]();
  rmSync(made, { recursive: true, force: true });
});

function startPython(args: readonly string[]) {
  const child = spawn(PYTHON, [`${ROOT}examples/python/agent.py`, ...args], {
    env: {
      PYTHONPATH: made,
      PYTHONDONTWRITEBYTECODE: "1",
      FAIRLEAD_FABRIC: `unix:${rig.directory}/fabric/fabric.sock`,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  const joined = new Promise<void>((resolve, reject) => {
    const hear = (text: string): void => {
      said += text;
      if (said.includes("joined as counter")) resolve();
    };
    child.stdout.setEncoding("utf8").on("data", hear);
    child.stderr.setEncoding("utf8").on("data", hear);
    child.once("exit", (code) => reject(new Error(`it ended with ${code}: ${said}`)));
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { child, joined, ended, said: () => said };
}

test("it is listed, called with input and answer, and its errors are told", async () => {
  const python = startPython([]);
  await python.joined;
  try {
    const listed = await rig.cli(["agents", "--scope", "default"]);
    assert.match(listed.stdout, /counter +default +agent +ok +words 1\.0\.0 /);
    const called = await rig.cli(["call", "counter", "words/count", '"a few plain words"']);
    assert.equal(called.code, 0, called.stderr);
    const { words, longest, for: caller } = JSON.parse(called.stdout);
    assert.deepEqual([words, longest], [4, "plain"]);
    assert.match(caller, /^default\/cli-/);
    const wrong = await rig.cli(["call", "counter", "words/count", "7"]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /has no attribute 'split'/);
    const unknown = await rig.cli(["call", "counter", "words/none", "1"]);
    assert.match(unknown.stderr, /counter does not serve words\/none/);
  } finally {
    python.child.kill("SIGKILL");
    await python.ended;
  }
});

test("it calls another agent, prints the answer and leaves", async () => {
  const python = startPython(["host", "greet/hello", '{"name": "Ada"}']);
  await python.joined;
  assert.equal(await python.ended, 0, python.said());
  assert.match(python.said(), /\{"text": "hello Ada, from counter"\}/);
});
