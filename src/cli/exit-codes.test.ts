// SPDX-License-Identifier: Apache-2.0
// Each exit code, the same for every form of output.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startApi, type TestApi } from "#api/testing/start-api.ts";
import { defineErrors, FairleadError } from "#base/errors.ts";
import { FORMS } from "./output.ts";
import { runFairlead } from "./testing/run-fairlead.ts";

/** What a node throws when a plan no longer holds. */
const nodeErrors = defineErrors({
  "plan-out-of-date": {
    id: "FL0703",
    code: "aborted",
    cause: "The state has changed",
    remedy: "plan again",
  },
});

/** What is asked, and how it ends whatever the form. */
const MATRIX: readonly (readonly [line: string, code: number, why: string])[] = [
  ["ps -A", 0, "a list is an answer"],
  ["why worker --scope shop", 0, "an explanation is an answer"],
  ["alerts -A", 0, "a list of alerts is an answer"],
  ["status", 1, "an alert stands"],
  ["why nosuch --scope shop", 2, "there is no such object"],
  ["ps --nosuch", 2, "the flag is unknown"],
  ["services -A --socket /nosuch.sock", 3, "no node answers"],
];

describe("exit codes", { concurrency: 3 }, () => {
  let api: TestApi;
  before(async () => {
    api = await startApi();
  });
  after(() => api[Symbol.asyncDispose]());

  const run = (line: string) =>
    runFairlead(line.split(" "), { env: { FAIRLEAD_SOCKET: api.socketPath } });

  for (const [line, code, why] of MATRIX) {
    test(`fairlead ${line} exits ${code} in every form: ${why}`, async () => {
      for (const form of FORMS) {
        const { code: exit, stderr, stdout } = await run(`${line} -o ${form}`);
        assert.equal(exit, code, `-o ${form}: ${stderr}`);
        if (code > 1) assert.equal(stdout, "", `-o ${form} wrote to stdout`);
      }
      assert.equal((await run(`${line} -q`)).code, code, "-q");
    });
  }

  test("a stream that is interrupted exits 130, one that is terminated 143", async () => {
    for (const [signal, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
    ] as const) {
      const env = { FAIRLEAD_SOCKET: api.socketPath };
      const ended = await runFairlead(["logs", "-f", "--scope", "shop"], {
        env,
        onOutput: (child) => void (child.killed || child.kill(signal)),
      });
      assert.equal(ended.code, code);
      assert.equal(ended.stderr, "");
    }
  });
});

describe("refusals of the node", () => {
  test("exit 4 and stand on stderr, as JSON where JSON was asked for", async () => {
    await using api = await startApi();
    api.fake.obstacle = new FairleadError(nodeErrors["plan-out-of-date"], "web-1 has changed");
    const env = { FAIRLEAD_SOCKET: api.socketPath };
    const line = ["restart", "web", "--scope", "shop", "--dry-run"];
    for (const form of FORMS) {
      const { code, stderr, stdout } = await runFairlead([...line, "-o", form], { env });
      assert.equal(code, 4);
      assert.equal(stdout, "");
      if (form === "json" || form === "jsonl") {
        const { facts: _, ...error }: Record<string, unknown> = JSON.parse(stderr);
        assert.deepEqual(error, {
          apiVersion: "fairlead/v1",
          kind: "Error",
          id: "FL0703",
          slug: "plan-out-of-date",
          code: "aborted",
          message: "web-1 has changed",
          cause: nodeErrors["plan-out-of-date"].cause,
          remedy: nodeErrors["plan-out-of-date"].remedy,
        });
      } else assert.match(stderr, /^error FL0703 plan-out-of-date: web-1 has changed\n/);
    }
  });
});

describe("a socket that is not a node's", () => {
  let directory: string;
  let server: Server;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "fairlead-cli-"));
    server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"));
    });
    await new Promise<void>((resolve) => server.listen(join(directory, "other.sock"), resolve));
    await writeFile(join(directory, "file.sock"), "");
  });
  after(async () => {
    server.close();
    await rm(directory, { recursive: true, force: true });
  });

  test("an answer that is not JSON is told with how it begins, exit 3", async () => {
    const { code, stderr } = await runFairlead([
      "ps",
      "-A",
      "--socket",
      join(directory, "other.sock"),
    ]);
    assert.match(stderr, /^error FL0613 node-answer[^]*begins +hello/);
    assert.equal(code, 3);
  });

  test("a plain file is a socket that nobody answers on, exit 3", async () => {
    const { code, stderr } = await runFairlead([
      "ps",
      "-A",
      "--socket",
      join(directory, "file.sock"),
    ]);
    assert.match(stderr, /^error FL0611 node-unreachable/);
    assert.equal(code, 3);
  });
});
