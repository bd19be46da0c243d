// SPDX-License-Identifier: Apache-2.0
// Which node a command finds, as a user runs it.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startApi, type TestApi } from "#api/testing/start-api.ts";
import { runFairlead } from "./testing/run-fairlead.ts";

describe("the node that a command finds", { concurrency: 2 }, () => {
  let api: TestApi;
  let directory: string;
  let count = 0;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "fairlead-socket-"));
    api = await startApi();
  });
  after(async () => {
    await api[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  /** Environment in which this is the text of the settings file. */
  function settle(text: string): Readonly<Record<string, string>> {
    const file = join(directory, `${++count}.yaml`);
    writeFileSync(file, text);
    return { FAIRLEAD_CONFIG: file, HOME: directory };
  }

  const here = (): string => `# where\nsocket: ${api.socketPath}\n`;

  test("is that of the settings file", async () => {
    const found = await runFairlead(["services", "-A", "-q"], { env: settle(here()) });
    assert.equal(found.code, 0, found.stderr);
    assert.match(found.stdout, /worker/);
    const fabric = settle("fabric: { socket: /nosuch-fabric.sock }\n");
    const none = await runFairlead(["services", "-A"], { env: fabric });
    assert.match(none.stderr, /no node answers/, "another setting with the word is not meant");
    const agents = await runFairlead(["ping", "web"], { env: fabric });
    assert.match(agents.stderr, /cannot join the fabric at unix:\/nosuch-fabric\.sock/);
  });

  test("is the one that is named: by the environment rather than by the file, by the flag rather than by both", async () => {
    const elsewhere = settle("socket: /nosuch.sock\n");
    const named = { ...elsewhere, FAIRLEAD_SOCKET: api.socketPath };
    const byEnv = await runFairlead(["services", "-A"], { env: named });
    assert.equal(byEnv.code, 0, byEnv.stderr);
    const byFlag = await runFairlead(["services", "-A", "--socket", api.socketPath], {
      env: { ...elsewhere, FAIRLEAD_SOCKET: "/nosuch-either.sock" },
    });
    assert.equal(byFlag.code, 0, byFlag.stderr);
  });

  test("is not guessed while the file cannot be read, and what asks no node goes on", async () => {
    const env = settle(`socket: ${api.socketPath}\nlisen: off\n`);
    const { code, stderr } = await runFairlead(["services", "-A"], { env });
    assert.equal(code, 2);
    assert.match(stderr, /FL0651[^]*"lisen"[^]*did you mean listen/);
    assert.match(stderr, /\.yaml:2:/, "it says where");
    const explained = await runFairlead(["explain", "FL0651"], { env });
    assert.equal(explained.code, 0, explained.stderr);
  });
});
