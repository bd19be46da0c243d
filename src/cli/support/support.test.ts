// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runFairlead } from "#cli/testing/run-fairlead.ts";
import { hideInDocument, hideInLog } from "./hide-secrets.ts";
import { FILE_BYTES, LOG_BYTES } from "./limits.ts";

const same = (text: string): string => text;

describe("fairlead support", () => {
  let directory: string;
  let node: Server;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "fairlead-support-test-"));
    // A node that says far too much, and lacks an answer of another one.
    const items = Array.from({ length: 12_000 }, (_, id) => ({ id, text: "x".repeat(1_000) }));
    node = createServer((request, response) => {
      const many = request.url?.startsWith("/v1/decisions") === true;
      const list = { kind: "List", items: many ? items : [], missing: many ? ["b (gone)"] : [] };
      response.end(JSON.stringify(list));
    });
    await new Promise<void>((resolve) => node.listen(join(directory, "full.sock"), resolve));
    const lines = Array.from({ length: 50_000 }, (_, at) => `line ${at} of a long log`);
    await writeFile(join(directory, "node.log"), `${lines.join("\n")}\n`);
  });
  after(async () => {
    node.close();
    await rm(directory, { recursive: true, force: true });
  });

  async function make(socket: string) {
    const file = join(directory, `${socket}.tar.gz`);
    const run = await runFairlead(["support", "-o", file], {
      env: {
        DOCKER_HOST: `unix://${directory}/no-docker.sock`,
        FAIRLEAD_SOCKET: join(directory, socket),
        FAIRLEAD_STATE_DIR: directory,
        FAIRLEAD_LISTEN: "off",
        TMPDIR: directory,
      },
    });
    const read = (name: string): string =>
      execFileSync("tar", ["-xzOf", file, `fairlead-support/${name}`], {
        encoding: "utf8",
        maxBuffer: 64 * 1024 * 1024,
      });
    return { ...run, file, read };
  }

  test("is made without a node and without an engine, and says what is not there", async () => {
    const { code, stdout, stderr, file, read } = await make("none.sock");
    assert.equal(code, 0, stderr);
    assert.equal(stdout, `${file}\n`);
    assert.match(stderr, /! without status\.json, nodes\.json, .*: FL0611 no node answers/);
    assert.match(stderr, /! without engine\.json: FL0301 cannot reach the engine .*\n/);
    const readme = read("README.txt");
    assert.match(readme, /^ {2}decisions\.json +NOT THERE: FL0611/m);
    assert.match(readme, /Left out:\n {2}values of variables/);
    const log = read("node.log");
    assert.ok(log.length <= LOG_BYTES && log.endsWith("line 49999 of a long log\n"));
    assert.equal(JSON.parse(read("settings.json")).settings.stateDir, directory);
    const left = (await readdir(directory)).filter((name) => name.startsWith("fairlead-support-"));
    assert.deepEqual(left, []);
  });

  test("is bounded, and names the nodes that did not answer", async () => {
    const { code, stderr, read } = await make("full.sock");
    assert.equal(code, 0, stderr);
    assert.match(stderr, /! no answer from b \(gone\)/);
    const decisions = read("decisions.json");
    assert.ok(decisions.length <= FILE_BYTES);
    assert.equal(JSON.parse(decisions).items[0].id, 0);
    assert.match(
      read("README.txt"),
      /decisions\.json .*; without b \(gone\); \d+ bytes were cut off/,
    );
  });

  test("writes over nothing, and takes no form of answers for a file", async () => {
    await writeFile(join(directory, "there.tar.gz"), "mine");
    const there = await runFairlead(["support", "-o", join(directory, "there.tar.gz")]);
    assert.equal(there.code, 4, there.stderr);
    assert.match(there.stderr, /FL0629/);
    const nowhere = await runFairlead(["support", "-o", join(directory, "none", "a.tar.gz")]);
    assert.equal(nowhere.code, 4, nowhere.stderr);
    assert.match(nowhere.stderr, /FL0629[^]*no such file or directory/);
    const form = await runFairlead(["support", "-o", "json"]);
    assert.equal(form.code, 2);
    assert.match(form.stderr, /\.\/json for a file of that name/);
  });
});

test("hideInDocument() hides what programs are given and say, and keeps shapes", () => {
  const given = {
    container: {
      Env: ["A=b", "C"],
      Cmd: ["run", "--x"],
      Labels: { note: "n", "fairlead.ttl": "1h" },
    },
    before: { logTail: ["one", "two"], healthOutput: "said" },
    clientSecret: "c",
    count: 3,
  };
  assert.deepEqual(hideInDocument(given, same), {
    container: {
      Env: ["A=[hidden]", "C"],
      Cmd: ["[2 left out]"],
      Labels: { note: "[hidden]", "fairlead.ttl": "1h" },
    },
    before: { logTail: ["[2 left out]"], healthOutput: "[hidden]" },
    clientSecret: "[hidden]",
    count: 3,
  });
});

test("hideInLog() reads lines that are JSON, and masks those that are not", () => {
  const mask = (text: string): string => text.replaceAll("abc", "*");
  assert.equal(
    hideInLog(
      '{"message":"abc","apiToken":"t"}\n{abc\n-----BEGIN PRIVATE KEY-----\nMHc\n-----END PRIVATE KEY-----\nabc',
      mask,
    ),
    '{"message":"*","apiToken":"[hidden]"}\n{*\n[hidden]\n*',
  );
});
