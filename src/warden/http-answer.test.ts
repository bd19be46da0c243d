// SPDX-License-Identifier: Apache-2.0
// Answers cut anywhere are the same answers; what is none is told so; connections that are kept are used again.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { AnswerReader } from "./http-answer.ts";
import { createQuestions } from "./questions.ts";

const HEAD = "HTTP/1.1 200 OK\r\nApi-Version: 1.47\r\n";
const CASES: readonly (readonly [what: string, method: string, bytes: string, text: string])[] = [
  ["a length", "GET", `${HEAD}Content-Length: 4\r\n\r\n\u00c3\u00a9ab`, "éab"],
  [
    "chunks",
    "GET",
    `${HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nab\n\r\n4;x=1\r\n\r\n\r\n\r\n0\r\n\r\n`,
    "ab\n\r\n\r\n",
  ],
  ["no body for HEAD", "HEAD", `${HEAD}Content-Length: 40\r\n\r\n`, ""],
  ["no body for 204", "GET", "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", ""],
];

describe("AnswerReader", () => {
  for (const [what, method, latin, text] of CASES)
    test(`reads ${what}, cut anywhere`, () => {
      const bytes = Buffer.from(latin, "latin1");
      for (let cut = 1; cut < bytes.length; cut++) {
        const reader = new AnswerReader(method, 1_000);
        assert.equal(reader.take(bytes.subarray(0, cut)), undefined, `cut at ${cut}`);
        const answer = reader.take(bytes.subarray(cut));
        assert.equal(answer?.text, text, `cut at ${cut}`);
        assert.equal(answer.isKept, !latin.includes("close"));
      }
    });

  for (const [what, bytes] of [
    ["no answer", "SSH-2.0-x\r\n\r\n"],
    ["no length", `${HEAD}\r\n`],
    ["a header without a name", `${HEAD}: x\r\n\r\n`],
    ["a chunk without a length", `${HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n`],
    ["a chunk of another length", `${HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n`],
    ["no end", `${HEAD}Content-Length: 2000\r\n\r\n${"x".repeat(1_500)}`],
  ] as const)
    test(`refuses ${what}`, () => {
      assert.throws(() => new AnswerReader("GET", 1_000).take(Buffer.from(bytes)));
    });
});

async function openEngine(stack: AsyncDisposableStack, listener: RequestListener) {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-questions-"));
  stack.defer(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "engine.sock");
  const connections: Socket[] = [];
  const server = createServer(listener);
  server.on("connection", (socket) => connections.push(socket));
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const questions = stack.use(createQuestions(path, { connectionsMax: 2, answerBytesMax: 10_000 }));
  const ask = async (target: string): Promise<string> =>
    (await questions.ask({ method: "GET", path: target })).text;
  return { connections, server, ask };
}

test("questions share few connections, and each gets its own answer", async () => {
  await using stack = new AsyncDisposableStack();
  const { connections, ask } = await openEngine(stack, ({ url }, answer) => {
    setImmediate(() => answer.end(`of ${url}`));
  });
  const targets = Array.from({ length: 20 }, (_, i) => `/${i}`);
  assert.deepEqual(
    await Promise.all(targets.map(ask)),
    targets.map((target) => `of ${target}`),
  );
  assert.equal(connections.length, 2);
  await assert.rejects(ask("/a b"), /blanks/);
  await assert.rejects(ask("/a\r\nx: y"), /control characters/);
});

test("a kept connection that the engine has closed is no failure; an engine that dies is", async () => {
  await using stack = new AsyncDisposableStack();
  let isDying = false;
  const { connections, ask, server } = await openEngine(stack, ({ socket }, answer) => {
    if (isDying) socket.destroy();
    else answer.end("well");
  });
  assert.equal(await ask("/1"), "well");
  // The next question may be on its way before the end of the connection is heard.
  for (const socket of connections) socket.destroy();
  assert.equal(await ask("/2"), "well");
  isDying = true;
  await assert.rejects(ask("/3"), /closed the connection|ECONNRESET|EPIPE/);
  server.close();
  await assert.rejects(ask("/4"));
});
