// SPDX-License-Identifier: Apache-2.0
// Requests that must be refused: each with its status and id, and without any operation being called.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Problem } from "@fairlead/protocol/views.ts";
import { createIntent, createPlan } from "./testing/fake-data.ts";
import { startApi, type Send, type TestApi } from "./testing/start-api.ts";

interface BadRequest extends Send {
  readonly title: string;
  readonly path: string;
  readonly status: number;
  readonly id: string;
  /** What the detail has to name. */
  readonly says?: string | RegExp;
}

const JSON_TYPE = { "content-type": "application/json" };
const intent = createIntent();
const web = intent.services[0];

function put(title: string, body: unknown, says: string | RegExp): BadRequest {
  const path = "/v1/scopes/shop/intent";
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return {
    title,
    method: "PUT",
    path,
    headers: JSON_TYPE,
    body: text,
    status: 400,
    id: "FL0515",
    says,
  };
}

function putService(title: string, changes: object, says: string | RegExp): BadRequest {
  return put(title, { intent: { ...intent, services: [{ ...web, ...changes }] } }, says);
}

function act(title: string, body: unknown, says: string | RegExp): BadRequest {
  const path = "/v1/scopes/shop/actions";
  return { ...put(title, body, says), method: "POST", path };
}

function scale(title: string, body: unknown, says: string | RegExp): BadRequest {
  return { ...put(title, body, says), path: "/v1/scopes/shop/replicas" };
}

function get(title: string, path: string, says: string | RegExp): BadRequest {
  return { title, path, status: 400, id: "FL0515", says };
}

function makeToken(title: string, body: unknown, says: string | RegExp): BadRequest {
  return { ...put(title, body, says), method: "POST", path: "/v1/tokens" };
}

function markNode(title: string, body: unknown, says: string | RegExp): BadRequest {
  return { ...put(title, body, says), method: "POST", path: "/v1/nodes/node-b/actions" };
}

const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);

const BAD_BODIES: readonly BadRequest[] = [
  { ...put("an empty body", "", "empty"), id: "FL0512" },
  { ...put("no JSON", "up!", "JSON"), id: "FL0512" },
  { ...put("half a document", '{"intent":{"scope":"shop"', "JSON"), id: "FL0512" },
  { ...put("two documents", "{}{}", "JSON"), id: "FL0512" },
  { ...put("a comment", "{/* intent */}", "JSON"), id: "FL0512" },
  { ...put("NaN", '{"intent":NaN}', "JSON"), id: "FL0512" },
  {
    ...put("bytes that are not UTF-8", "", "UTF-8"),
    body: Uint8Array.of(0x22, 0xff, 0x22),
    id: "FL0512",
  },
  makeToken("a token for a day and a moment", { ttlMs: 86_400_001 }, "body.ttlMs"),
  makeToken("a token for no time", { ttlMs: 0 }, "body.ttlMs"),
  makeToken("a token for nobody", { uses: 0 }, "body.uses"),
  makeToken("a token for half a host", { uses: 1.5 }, "body.uses"),
  makeToken("a token for a store without a port", { endpoints: ["etcd"] }, "body.endpoints[0]"),
  makeToken("a token for no store", { endpoints: [] }, "body.endpoints"),
  makeToken("a token with a secret of one's own", { secret: "x".repeat(32) }, /secret/),
  markNode("an act that nobody can do to a node", { action: "reboot" }, "body.action"),
  markNode("marks of one's own", { action: "cordon", schedulable: true }, /schedulable/),
  markNode("a reason that says nothing", { action: "drain", reason: "" }, "body.reason"),
  { ...put("65 levels", nested(65), "65 levels"), id: "FL0513" },
  { ...put("a million levels", nested(1_000_000), "levels"), id: "FL0513" },
  put("a list", [], "body"),
  put("null", "null", "body"),
  put("no intent", {}, "body.intent"),
  put("an unknown key beside the intent", { intent, force: true }, /force/),
  put("an unknown key in the intent", { intent: { ...intent, privileged: true } }, /privileged/),
  put("a scope with capitals", { intent: { ...intent, scope: "Shop" } }, "body.intent.scope"),
  put("a scope other than addressed", { intent: createIntent("other") }, "body.intent.scope"),
  put("services as an object", { intent: { ...intent, services: {} } }, "body.intent.services"),
  putService("a negative count", { replicas: -1 }, "body.intent.services[0].replicas"),
  putService("half an instance", { replicas: 0.5 }, "body.intent.services[0].replicas"),
  putService("too many instances", { replicas: 10_001 }, "body.intent.services[0].replicas"),
  putService("a count in words", { replicas: "three" }, "body.intent.services[0].replicas"),
  putService("a path as a name", { name: "../etc" }, "body.intent.services[0].name"),
  putService(
    "a container field that no schema has",
    { container: { Image: "x", HostConfig: { Kernel: "x" } } },
    /Kernel/,
  ),
  putService(
    "a create body of another engine",
    { container: { image: "x" } },
    "body.intent.services[0].container",
  ),
  putService(
    "an unknown ladder",
    { heal: { ladder: "pray", actsMax: 1, windowMs: 1_000 } },
    "body.intent.services[0].heal.ladder",
  ),
  putService(
    "a network mode that is none",
    { network: { kind: "wifi" } },
    "body.intent.services[0].network",
  ),
  putService("no name at all", { name: undefined }, "body.intent.services[0].name"),
  put(
    "a plan without steps",
    { intent, plan: { ...createPlan("shop", 0, "web"), steps: undefined } },
    "body.plan.steps",
  ),
  put("a reason as long as a book", { intent, reason: "x".repeat(501) }, "body.reason"),
  {
    ...put(
      "a polluted prototype",
      `{"intent":${JSON.stringify(intent)},"__proto__":{"admin":true}}`,
      /__proto__/,
    ),
  },
  act("an unknown action", { action: "reboot", services: [] }, "body.action"),
  act("an action without services", { action: "restart" }, "body.services"),
  act("services as a string", { action: "restart", services: "web" }, "body.services"),
  act("a pause of no time", { action: "pause", services: [], forMs: 0 }, "body.forMs"),
  scale("numbers of nobody", { replicas: {} }, "body.replicas"),
  scale("less than none", { replicas: { web: -1 } }, "body.replicas.web"),
  scale("a number as text", { replicas: { web: "3" } }, "body.replicas.web"),
  act("a wrong dry run", { action: "resume", services: [], dryRun: "yes" }, "body.dryRun"),
  {
    ...act("a form", "", ""),
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: "action=restart",
    status: 415,
    id: "FL0516",
  },
  {
    ...act("plain text, as a form of another site can send it", "", ""),
    headers: { "content-type": "text/plain" },
    body: '{"action":"restart","services":[]}',
    status: 415,
    id: "FL0516",
  },
  {
    ...act("no content type", "", ""),
    headers: {},
    body: '{"action":"restart","services":[]}',
    status: 415,
    id: "FL0516",
  },
  {
    ...put("a wrong flag in down", { volumes: "yes" }, "body.volumes"),
    method: "DELETE",
    path: "/v1/scopes/shop",
  },
  { ...put("a plan for nothing", {}, "body.intent"), method: "POST", path: "/v1/plans" },
  {
    ...put("images as numbers", { references: [1] }, "body.references[0]"),
    method: "POST",
    path: "/v1/images",
  },
  {
    ...put("a body above the limit", `"${"x".repeat(70_000)}"`, "too large"),
    status: 413,
    id: "FL0514",
  },
];

const BAD_BUILDS: readonly BadRequest[] = [
  {
    title: "a build as JSON",
    method: "POST",
    path: "/v1/builds",
    headers: JSON_TYPE,
    body: "{}",
    status: 415,
    id: "FL0516",
  },
  ...[
    { title: "a build without a first line", body: "tar tar tar", id: "FL0512" },
    { title: "a build with a first line that is no JSON", body: "tar\ntar", id: "FL0512" },
    {
      title: "a build without an intent",
      body: '{"scope":"shop","service":"web"}\n',
      id: "FL0515",
      says: "header.intent",
    },
    {
      title: "a build of another scope than its intent",
      body: `${JSON.stringify({ scope: "other", service: "web", intent })}\n`,
      id: "FL0515",
      says: "header.intent.scope",
    },
  ].map((one) => ({
    ...one,
    method: "POST",
    path: "/v1/builds",
    headers: { "content-type": "application/vnd.fairlead.build" },
    status: 400,
  })),
];

const BAD_ADDRESSES: readonly BadRequest[] = [
  { title: "an address of the engine", path: "/v1.41/containers/json", status: 404, id: "FL0510" },
  {
    title: "a plug-in of the engine",
    method: "POST",
    path: "/plugins/x/enable",
    status: 404,
    id: "FL0510",
  },
  { title: "an address below one that exists", path: "/v1/status/all", status: 404, id: "FL0510" },
  {
    title: "a path out of the page",
    path: "/assets/..%2f..%2fetc%2fpasswd",
    status: 404,
    id: "FL0510",
  },
  {
    title: "a path out of the page, plainly",
    path: "/../../etc/passwd",
    status: 404,
    id: "FL0510",
  },
  {
    title: "a method that the address does not have",
    method: "POST",
    path: "/v1/status",
    status: 405,
    id: "FL0511",
    says: "GET",
  },
  {
    title: "a patch",
    method: "PATCH",
    path: "/v1/scopes/shop/intent",
    status: 405,
    id: "FL0511",
    says: "GET, PUT",
  },
  {
    title: "options, as a browser asks for another site",
    method: "OPTIONS",
    path: "/v1/scopes/shop/actions",
    status: 405,
    id: "FL0511",
  },
  get("a scope with a slash in it", "/v1/scopes/a%2Fb", "path.scope"),
  get("a scope in capitals", "/v1/services?scope=SHOP", "query.scope"),
  get("an unknown parameter", "/v1/services?namespace=shop", /namespace/),
  get("a limit of none", "/v1/decisions?limit=0", "query.limit"),
  get("a limit above all", "/v1/decisions?limit=100000", "query.limit"),
  get("a limit in words", "/v1/decisions?limit=all", "query.limit"),
  get("an outcome that is none", "/v1/decisions?outcome=maybe", "query.outcome"),
  get("a time before 1970", "/v1/decisions?sinceMs=-1", "query.sinceMs"),
  get("why of nothing", "/v1/why", "query.object"),
  get("logs of no scope", "/v1/logs", "query.scope"),
  get("logs with a tail of a mile", "/v1/logs?scope=shop&tail=99999999", "query.tail"),
  get("logs that follow perhaps", "/v1/logs?scope=shop&follow=perhaps", "query.follow"),
];

describe("bad requests", () => {
  let running: TestApi;
  before(async () => {
    running = await startApi({ bodyBytesMax: 65_536 });
  });
  after(() => running[Symbol.asyncDispose]());

  for (const bad of [...BAD_BODIES, ...BAD_BUILDS, ...BAD_ADDRESSES]) {
    it(`refuses ${bad.title} with ${bad.status} ${bad.id}`, async () => {
      // A million levels are more bytes than the others may send.
      const small = bad.body === undefined || bad.body.length < 100_000;
      const own = small ? undefined : await startApi();
      try {
        const to = own ?? running;
        const reply = await to.unix(bad.path, bad);
        assert.equal(reply.status, bad.status, reply.text);
        assert.equal(reply.headers["content-type"], "application/problem+json");
        const problem = Problem.parse(JSON.parse(reply.text));
        assert.equal(problem.id, bad.id, reply.text);
        assert.equal(problem.status, bad.status);
        if (typeof bad.says === "string")
          assert.ok(problem.detail.includes(bad.says), problem.detail);
        if (bad.says instanceof RegExp) assert.match(problem.detail, bad.says);
        assert.deepEqual(to.fake.calls, []);
      } finally {
        await own?.[Symbol.asyncDispose]();
      }
    });
  }

  it("refuses at least 60 kinds of requests in this table", () => {
    assert.ok(BAD_BODIES.length + BAD_BUILDS.length + BAD_ADDRESSES.length >= 60);
  });
});
