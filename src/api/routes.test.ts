// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { connect } from "node:net";
import { after, before, describe, it } from "node:test";
import { Decision, Plan } from "@fairlead/protocol/decision.ts";
import { Intent } from "@fairlead/protocol/intent.ts";
import { PlacementView } from "@fairlead/protocol/placement.ts";
import {
  AlertList,
  Capabilities,
  DecisionList,
  ImagesAnswer,
  InstanceList,
  NetworkAdviceList,
  ScopeList,
  ServiceList,
} from "@fairlead/protocol/routes.ts";
import { NodeStatus, Problem, ScopeView, WhyAnswer } from "@fairlead/protocol/views.ts";
import { z } from "zod";
import { awaitAbort } from "#base/await-abort.ts";
import { createApi } from "./create-api.ts";
import { createIntent, createPlan } from "./testing/fake-data.ts";
import { startApi, type TestApi } from "./testing/start-api.ts";

const READS: readonly [path: string, schema: z.ZodType, operation: string | undefined][] = [
  ["/v1/status", NodeStatus, "status"],
  ["/v1/scopes", ScopeList, "scopes"],
  ["/v1/scopes/shop", ScopeView, "scope"],
  ["/v1/scopes/shop/intent", Intent, "intent"],
  ["/v1/services", ServiceList, "services"],
  ["/v1/services?scope=shop", ServiceList, "services"],
  ["/v1/instances?service=web", InstanceList, "instances"],
  ["/v1/inspect?object=shop-web-1", z.record(z.string(), z.unknown()), "inspect"],
  ["/v1/decisions?service=worker&limit=5", DecisionList, "decisions"],
  ["/v1/decisions/dec_0000000000000E", Decision, "decision"],
  ["/v1/alerts", AlertList, "alerts"],
  ["/v1/why?object=service/worker", WhyAnswer, "why"],
  ["/v1/placement?service=web", PlacementView, undefined],
  ["/v1/network-advice?service=web", NetworkAdviceList, undefined],
  ["/v1/capabilities", Capabilities, undefined],
];

describe("routes", () => {
  let running: TestApi;
  before(async () => {
    running = await startApi();
  });
  after(() => running[Symbol.asyncDispose]());

  async function sendJson(method: string, path: string, body: unknown) {
    const reply = await running.unix(path, {
      method,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const operation = running.fake.calls.at(-1);
    return { ...reply, json: JSON.parse(reply.text) as unknown, operation };
  }

  for (const [path, schema, operation] of READS) {
    it(`GET ${path} answers as its schema says, over both sockets`, async () => {
      running.fake.calls.length = 0;
      for (const reply of [await running.unix(path), await running.tcp(path)]) {
        assert.equal(reply.status, 200, reply.text);
        assert.equal(reply.headers["cache-control"], "no-store");
        schema.parse(JSON.parse(reply.text));
      }
      const actors = operation === undefined ? [] : ["unix socket", "token"];
      assert.deepEqual(
        running.fake.calls.map((call) => [call.name, call.actor]),
        actors.map((actor) => [operation, actor]),
      );
    });
  }

  it("a list says when it is partial, and what is missing", async () => {
    running.fake.missing = ["engine unix:///var/run/docker.sock"];
    const list = ServiceList.parse(JSON.parse((await running.unix("/v1/services")).text));
    running.fake.missing = [];
    assert.equal(list.partial, true);
    assert.deepEqual(list.missing, ["engine unix:///var/run/docker.sock"]);
    assert.match(list.asOf, /^\d{4}-\d\d-\d\dT/);
  });

  it("an unknown name is 404 with the remedy of the operation", async () => {
    const reply = await running.unix("/v1/why?object=wroker");
    const problem = Problem.parse(JSON.parse(reply.text));
    assert.equal(reply.status, 404);
    assert.equal(problem.remedy, "did you mean worker?");
  });

  it("what was not foreseen is 500 without its text, which is in the log", async () => {
    running.fake.obstacle = new Error("secret path /srv/x");
    const reply = await running.unix("/v1/status");
    running.fake.obstacle = undefined;
    assert.equal(reply.status, 500);
    assert.ok(!reply.text.includes("secret"));
    assert.ok(running.logged.some((line) => line.includes("secret path /srv/x")));
  });

  it("PUT intent applies, and a plan out of date is 409", async () => {
    const intent = createIntent();
    const done = await sendJson("PUT", "/v1/scopes/shop/intent", { intent, reason: "test" });
    assert.equal(done.status, 200);
    Plan.parse(done.json);
    assert.equal(done.operation?.name, "apply");
    const plan = { ...createPlan("shop", 0, "web"), basis: "older" };
    const refused = await sendJson("PUT", "/v1/scopes/shop/intent", { intent, plan });
    assert.equal(refused.status, 409);
    assert.equal(Problem.parse(refused.json).id, "FL0703");
  });

  it("POST plans plans, DELETE scopes takes down with and without a body", async () => {
    const planned = await sendJson("POST", "/v1/plans", { intent: createIntent() });
    assert.equal(planned.operation?.name, "plan");
    Plan.parse(planned.json);
    const down = await sendJson("DELETE", "/v1/scopes/shop", { volumes: true });
    assert.deepEqual(down.operation?.args, ["shop", { volumes: true }]);
    const bare = await running.unix("/v1/scopes/shop", { method: "DELETE" });
    assert.equal(bare.status, 200, bare.text);
    assert.deepEqual(running.fake.calls.at(-1)?.args, ["shop", {}]);
  });

  it("POST actions passes the action on", async () => {
    const body = { action: "restart", services: ["web"], dryRun: true };
    const { operation, json } = await sendJson("POST", "/v1/scopes/shop/actions", body);
    assert.deepEqual(operation?.args, ["shop", body]);
    assert.equal(Plan.parse(json).steps[0]?.title, "restart web-1");
  });

  it("PUT replicas passes the numbers on", async () => {
    const body = { replicas: { web: 3 }, reason: "a sale" };
    const { operation, json } = await sendJson("PUT", "/v1/scopes/shop/replicas", body);
    assert.equal(operation?.name, "scale");
    assert.deepEqual(operation.args, ["shop", body]);
    Plan.parse(json);
  });

  it("POST images tells which exist, in the order asked", async () => {
    const { json } = await sendJson("POST", "/v1/images", { references: ["nginx", "shop/web:1"] });
    assert.deepEqual(ImagesAnswer.parse(json), {
      apiVersion: "fairlead/v1",
      present: ["shop/web:1"],
      absent: ["nginx"],
    });
  });

  it("POST builds streams the context in and the output out", async () => {
    const context = Buffer.alloc(3_000_000, 7);
    const header = `${JSON.stringify({ scope: "shop", service: "web", intent: createIntent() })}\n`;
    const reply = await running.unix("/v1/builds", {
      method: "POST",
      headers: { "content-type": "application/vnd.fairlead.build" },
      body: Buffer.concat([Buffer.from(header), context]),
    });
    assert.deepEqual(
      reply.text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
      [
        { line: "Step 1/2 : FROM scratch" },
        { line: "Successfully read 3000000 bytes" },
        { done: true },
      ],
    );
    assert.equal(running.fake.builtBytes, 3_000_000);
  });

  it("a build above its limit ends with a problem line", async () => {
    await using small = await startApi({ buildBytesMax: 1_000 });
    const header = `${JSON.stringify({ scope: "shop", service: "web", intent: createIntent() })}\n`;
    const reply = await small.unix("/v1/builds", {
      method: "POST",
      headers: { "content-type": "application/vnd.fairlead.build" },
      body: Buffer.concat([Buffer.from(header), Buffer.alloc(2_000)]),
    });
    const last: unknown = JSON.parse(reply.text.trim().split("\n").at(-1) ?? "");
    assert.equal(z.object({ problem: Problem }).parse(last).problem.id, "FL0514");
  });

  it("a body that does not arrive is 408 after its time, and nothing is called", async () => {
    await using slow = await startApi({ bodyTimeMs: 50 });
    const socket = connect(slow.socketPath);
    socket.write(
      "POST /v1/plans HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
    );
    const [head] = (await once(socket, "data")) as [Buffer];
    socket.destroy();
    assert.match(String(head), /^HTTP\/1\.1 408 /);
    assert.deepEqual(slow.fake.calls, []);
  });

  it("a client that goes away ends its operation and is no error of the node", async () => {
    await using away = await startApi();
    away.fake.obstacle = "hang";
    const socket = connect(away.socketPath);
    socket.write("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
    await away.fake.awaitCalls("status");
    const signal = away.fake.calls[0]?.signal;
    assert.ok(signal !== undefined);
    socket.destroy();
    await awaitAbort(signal);
    assert.ok(!away.logged.some((line) => line.includes("not foreseen")));
  });

  it("an operation that hangs is 504 after its time", async () => {
    await using slow = await startApi({ operationTimeMs: 50 });
    slow.fake.obstacle = "hang";
    const reply = await slow.unix("/v1/status");
    assert.equal(reply.status, 504);
    assert.equal(Problem.parse(JSON.parse(reply.text)).id, "FL0103");
  });
});

describe("listeners", () => {
  it("the unix socket is for its owner and group only", async () => {
    await using running = await startApi();
    assert.equal((await stat(running.socketPath)).mode & 0o777, 0o660);
  });

  it("a second node on the same socket is refused, a socket left behind is replaced", async () => {
    await using running = await startApi();
    await using other = await startApi();
    await assert.rejects(other.api.listenUnix(running.socketPath), { code: "already_exists" });
    await running.api[Symbol.asyncDispose]();
    await other.api.listenUnix(running.socketPath);
  });

  it("a port that is taken is FL0502", async () => {
    await using running = await startApi();
    await using other = await startApi();
    await assert.rejects(other.api.listenTcp("127.0.0.1", running.port), (error: unknown) => {
      assert.ok(error instanceof Error && "kind" in error);
      assert.match(error.message, new RegExp(String(running.port)));
      return true;
    });
  });

  for (const host of ["0.0.0.0", "::", "192.0.2.7", "harbour.example", "", "127.0.0.1.nip.io"]) {
    it(`plaintext on ${JSON.stringify(host)} is refused`, async () => {
      await using running = await startApi();
      await assert.rejects(running.api.listenTcp(host, 0), (error: unknown) => {
        assert.ok(error instanceof Error && "code" in error);
        assert.equal(error.code, "permission_denied");
        return true;
      });
    });
  }

  it("nothing listens before it is told to, and disposing twice is harmless", async () => {
    await using running = await startApi();
    assert.equal(typeof createApi, "function");
    await running.api[Symbol.asyncDispose]();
    await running.api[Symbol.asyncDispose]();
    await assert.rejects(running.unix("/v1/status"));
  });
});
