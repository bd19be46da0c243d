// SPDX-License-Identifier: Apache-2.0
// A node that goes away and comes back, as the commands that follow events see it.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { startApi } from "#api/testing/start-api.ts";
import { runFairlead } from "./testing/run-fairlead.ts";

const engineEvent = (id: string, object: string) =>
  `${JSON.stringify({ id, event: { kind: "engine", action: "start", object, atMs: 1 } })}\n`;

describe("events across a restart of the node", () => {
  let directory: string;
  let socket: string;
  const servers: Server[] = [];
  const resumed: (string | undefined)[] = [];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "fairlead-follow-"));
    socket = join(directory, "node.sock");
    resumed.length = 0;
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
    await rm(directory, { recursive: true, force: true });
  });

  function listen(answer: (response: ServerResponse) => void): Promise<Server> {
    const server = createServer((request, response) => {
      resumed.push(request.headers["last-event-id"]?.toString());
      answer(response);
    });
    servers.push(server);
    return new Promise((resolve) => server.listen(socket, () => resolve(server)));
  }

  test("events says that the node went away, connects again and asks for what came after the last", async () => {
    let turn = 0;
    await listen((response) => {
      turn++;
      response.writeHead(200, { "content-type": "application/x-ndjson" });
      response.write(engineEvent(`e-${turn}`, `object-${turn}`));
      if (turn === 1) response.end();
      if (turn === 2) setImmediate(() => response.destroy());
    });
    const { code, stderr, stdout } = await runFairlead(["events", "-A", "-o", "jsonl"], {
      env: { FAIRLEAD_SOCKET: socket },
      onOutput: (child, said) => void (said.includes("object-3") && child.kill("SIGINT")),
    });
    assert.equal(code, 130);
    assert.deepEqual(resumed.slice(0, 3), [undefined, "e-1", "e-2"]);
    assert.equal(stdout.trim().split("\n").length, 3);
    assert.equal(stderr.match(/^! the node went away; waiting for it$/gm)?.length, 2);
    assert.equal(stderr.match(/^! the node answers again; events go on$/gm)?.length, 2);
  });

  test("when nothing came before the node went away, what was missed meanwhile is said to be lost", async () => {
    const lagged = { id: "f-0", event: { kind: "lagged", atMs: 1 } };
    let turn = 0;
    await listen((response) => {
      turn++;
      if (turn === 1) response.end();
      else response.write(`${JSON.stringify(lagged)}\n`);
    });
    const run = await runFairlead(["events", "-A"], {
      env: { FAIRLEAD_SOCKET: socket },
      onOutput: (child, said) => void (said.includes("lost") && child.kill("SIGINT")),
    });
    assert.equal(run.code, 130);
    assert.deepEqual(resumed, [undefined, "none"]);
  });

  test("what a node refuses ends it, also after it came back", async () => {
    let turn = 0;
    await listen((response) => {
      turn++;
      if (turn === 1) return void response.end(engineEvent("e-1", "object-1"));
      const problem = { id: "FL0517", slug: "too-many-streams", code: "resource_exhausted" };
      const texts = { cause: "c", remedy: "r", detail: "d", facts: {} };
      response.writeHead(503).end(JSON.stringify({ ...problem, ...texts }));
    });
    const run = await runFairlead(["events", "-A"], { env: { FAIRLEAD_SOCKET: socket } });
    assert.equal(run.code, 4);
    assert.match(run.stderr, /^error FL0517 too-many-streams/m);
  });

  test("no node at first is an error, exit 3", async () => {
    const run = await runFairlead(["events", "-A"], { env: { FAIRLEAD_SOCKET: socket } });
    assert.equal(run.code, 3);
    assert.match(run.stderr, /^error FL0611/m);
  });

  test("a list with --watch outlives the connection", async () => {
    const api = await startApi();
    let shown = 0;
    const server = createServer((request, response) => {
      const isEvents = request.url?.startsWith("/v1/events") === true;
      if (isEvents) return void response.end(engineEvent("e-1", "object-1"));
      shown++;
      if (shown === 2) return void response.destroy();
      void api.unix(request.url ?? "/").then((reply) => response.end(reply.text));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    const run = await runFairlead(["services", "-A", "-w", "-o", "name"], {
      env: { FAIRLEAD_SOCKET: socket },
      onOutput: (child, said) =>
        void ((said.match(/^web$/gm)?.length ?? 0) > 1 && child.kill("SIGINT")),
    });
    await api[Symbol.asyncDispose]();
    assert.equal(run.code, 130, run.stderr);
    assert.ok(shown >= 3);
  });
});
