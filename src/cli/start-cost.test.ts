// SPDX-License-Identifier: Apache-2.0
// What starting a command costs is what it loads: one import in the wrong place makes each of them take three times as long.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runFairlead } from "./testing/run-fairlead.ts";

const TELLER = new URL("testing/tell-modules.ts", import.meta.url);

describe("a command that asks the node", () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "fairlead-cost-"));
    writeFileSync(join(directory, "compose.yaml"), "services: { web: { image: web } }\n");
  });
  after(() => rmSync(directory, { recursive: true }));

  /** What the command loads until it finds that no node answers. */
  async function listLoaded(...words: string[]): Promise<string> {
    const { code, stderr } = await runFairlead([...words, "--socket", "/nosuch.sock"], {
      cwd: directory,
      env: { NODE_OPTIONS: `--import=${TELLER.href}` },
    });
    assert.equal(code, 3, stderr);
    assert.match(stderr, /\/src\/cli\/api-client\.ts$/m, "what is loaded is told");
    return stderr;
  }

  test("loads neither schemas, nor a parser of YAML, nor what Node has for the web", async () => {
    for (const words of [["ps", "-A"], ["status"], ["decisions", "-A"]])
      assert.doesNotMatch(await listLoaded(...words), /node_modules\/(?:zod|yaml)\/|undici/);
  });

  test("loads no schemas for a Compose file either", async () => {
    assert.doesNotMatch(await listLoaded("plan"), /node_modules\/zod\/|undici/);
  });
});
