// SPDX-License-Identifier: Apache-2.0
// Compose files that are not right, as `up` meets them: exit status 2, the place, and the node is never asked. What is
// only odd is said and goes on.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { startApi, type TestApi } from "#api/testing/start-api.ts";
import { DIRECTORY } from "#compose/testing/load-text.ts";
import { readMalformed } from "#compose/testing/malformed.ts";
import { runCli } from "./run-cli.ts";

const PARENT = dirname(DIRECTORY);

describe("up of a malformed Compose file", () => {
  const cases = readMalformed();
  let top: string;
  let api: TestApi;
  before(async () => {
    top = await realpath(await mkdtemp(join(tmpdir(), "fairlead-malformed-")));
    api = await startApi();
  });
  after(async () => {
    await api[Symbol.asyncDispose]();
    await rm(top, { recursive: true, force: true });
  });

  async function run(words: readonly string[], directory: string) {
    const said = { stdout: "", stderr: "" };
    const code = await runCli(words, {
      env: { FAIRLEAD_SOCKET: api.socketPath, HOME: top },
      cwd: directory,
      uid: 0,
      signal: AbortSignal.timeout(60_000),
      root: "/",
      version: "test",
      runNode: () => assert.fail("a node was started"),
      migrateStore: () => assert.fail("a store was touched"),
      enterFleet: () => assert.fail("a fleet was entered"),
      onReload: () => assert.fail("a node was run"),
      stdinIsTty: false,
      stdout: { write: (text) => (said.stdout += text) },
      stderr: { write: (text) => (said.stderr += text) },
    });
    return { code, ...said };
  }

  for (const c of cases) {
    const refused = c.severity === "error";
    test(`${c.name}: ${refused ? "exit 2, nothing is asked" : "a warning"}`, async () => {
      const parent = join(top, c.name);
      const project = join(parent, relative(PARENT, DIRECTORY));
      const move = (text: string): string => text.replaceAll(`${PARENT}/`, `${parent}/`);
      await mkdir(project, { recursive: true });
      for (const [name, text] of Object.entries({ "compose.yaml": c.text, ...c.files })) {
        const path = resolve(project, move(name));
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, text);
      }
      const profiles = c.profiles.flatMap((name) => ["--profile", name]);
      const words = refused ? ["up", ...profiles] : ["config", "--quiet", ...profiles];
      const { code, stderr, stdout } = await run(words, project);
      assert.equal(code, refused ? 2 : 0, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, refused ? /^error FL\d{4} /m : /^warning FL\d{4} /m);
      assert.ok(stderr.includes(c.id), stderr);
      assert.ok(stderr.includes(`${move(c.file)}:${c.line}:`), stderr);
      assert.deepEqual(api.fake.calls, [], "the node was asked");
    });
  }
});
