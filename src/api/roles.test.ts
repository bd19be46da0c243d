// SPDX-License-Identifier: Apache-2.0
// S06: every route by every role, as a table that was written by hand.
import assert from "node:assert/strict";
import { request } from "node:http";
import { describe, test } from "node:test";
import { ROLES, type Role } from "@fairlead/protocol/access.ts";
import { SessionView, SignInLink } from "@fairlead/protocol/routes.ts";
import { NodeStatus, Problem } from "@fairlead/protocol/views.ts";
import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { silentAudit, type AuditEntry } from "#audit/audit.ts";
import { FairleadError } from "#base/errors.ts";
import type { ApiEnv } from "./channel.ts";
import { createRoleCheck } from "./roles.ts";
import { startApi, type Reply, type TestApi } from "./testing/start-api.ts";

/** The least role for each address; `open` ones decide by what is shown to them. */
const TABLE: Readonly<Record<string, string>> = {
  viewer: `
    GET /v1/status  GET /v1/scopes  GET /v1/alerts  GET /v1/scopes/{scope}  GET /v1/scopes/{scope}/intent
    GET /v1/services  GET /v1/instances  GET /v1/agents  GET /v1/nodes  GET /v1/networks  GET /v1/placement
    GET /v1/network-advice
    GET /v1/paths  GET /v1/queues  GET /v1/inspect  GET /v1/decisions  GET /v1/decisions/{id}  GET /v1/why
    GET /v1/capabilities  GET /v1/scopes/{scope}/topology  POST /v1/scopes/{scope}/topology/plan
    GET /v1/scopes/{scope}/links  GET /v1/policies  GET /v1/events  GET /v1/logs  GET /v1/usage
    GET /v1/flows  GET /v1/flows/follow  GET /v1/identities
    GET /v1/rights  POST /v1/rights/test  POST /v1/plans  POST /v1/images  POST /v1/sign-in-links  GET /v1/openapi.json`,
  operator: `
    PUT /v1/scopes/{scope}/intent  DELETE /v1/scopes/{scope}  POST /v1/scopes/{scope}/actions
    PUT /v1/scopes/{scope}/replicas
    PUT /v1/scopes/{scope}/topology  DELETE /v1/scopes/{scope}/topology  POST /v1/nodes/{node}/actions
    POST /v1/rights/grants  POST /v1/can  POST /v1/policies/effect  POST /v1/builds  POST /v1/pulls`,
  admin: `
    GET /v1/tokens  POST /v1/tokens  DELETE /v1/tokens/{id}  DELETE /v1/nodes/{node}  POST /v1/fleet/leave  POST /v1/host/clear
    POST /v1/identities/rotate  DELETE /v1/identities/{holder}
    POST /v1/networks/rotate  PUT /v1/policies  DELETE /v1/policies/{scope}/{name}
    GET /v1/audit  GET /v1/audit/verification  PUT /v1/rights  DELETE /v1/rights/{scope}/{name}  GET /v1/users  PUT /v1/users/{name}  DELETE /v1/users/{name}
    POST /v1/users/{name}/tokens  DELETE /v1/users/{name}/tokens/{id}`,
  open: `GET /v1/session  POST /v1/session  DELETE /v1/session`,
};

const EXPECTED: ReadonlyMap<string, string> = new Map(
  Object.entries(TABLE).flatMap(([role, lines]) =>
    lines
      .trim()
      .split(/ {2,}|\n\s*/)
      .map((route): [string, string] => [route, role]),
  ),
);

const Routes = z.object({
  paths: z.record(
    z.string(),
    z.record(z.string(), z.looseObject({ "x-fairlead-role": z.string() })),
  ),
});

/** Status and problem of one request, without waiting for the end of what streams. */
function ask(running: TestApi, route: string, headers: Record<string, string>): Promise<Reply> {
  const [method = "", path = ""] = route.split(" ");
  const options = { host: "127.0.0.1", port: running.port, agent: false, method, headers };
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, path: path.replaceAll(/\{\w+\}/g, "x") }, (answer) => {
      const { statusCode: status = 0 } = answer;
      if (status < 400) {
        answer.destroy();
        return resolve({ status, headers: answer.headers, text: "" });
      }
      let text = "";
      answer.on("data", (chunk) => (text += String(chunk)));
      answer.on("end", () => resolve({ status, headers: answer.headers, text }));
    });
    sent.on("error", reject);
    sent.end();
  });
}

const readProblem = ({ text }: Reply): Problem => Problem.parse(JSON.parse(text));

async function signIn(running: TestApi, shown: object) {
  const origin = `http://127.0.0.1:${running.port}`;
  const reply = await running.tcp("/v1/session", {
    method: "POST",
    headers: { "content-type": "application/json", origin },
    body: JSON.stringify(shown),
  });
  const cookie = reply.headers["set-cookie"]?.[0]?.split(";", 1)[0] ?? "";
  return { reply, headers: { cookie, origin } };
}

describe("roles", () => {
  test("the table has every route, with the role that its definition states", async () => {
    await using running = await startApi();
    const { paths } = Routes.parse(JSON.parse((await running.unix("/v1/openapi.json")).text));
    const stated = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, route]) => [
        `${method.toUpperCase()} ${path}`,
        route["x-fairlead-role"],
      ]),
    );
    stated.push(["GET /v1/openapi.json", "viewer"]);
    assert.deepEqual(Object.fromEntries(stated), Object.fromEntries(EXPECTED));
  });

  for (const how of ["token", "session"] as const) {
    test(`S06: every route by every role, by ${how}`, async () => {
      await using running = await startApi({ failuresPerMinuteMax: 1_000 });
      for (const role of ROLES) running.users.set(role, role);
      const cells: string[] = [];
      for (const role of ROLES) {
        const token = `token-of-${role}`;
        const headers =
          how === "token"
            ? { authorization: `Bearer ${token}` }
            : (await signIn(running, { token })).headers;
        for (const [route, needs] of EXPECTED) {
          if (needs === "open" || (how === "session" && route.endsWith("sign-in-links"))) continue;
          running.fake.calls.length = 0;
          const reply = await ask(running, route, headers);
          const may = ROLES.indexOf(role) >= ROLES.indexOf(needs as Role);
          cells.push(`${route} ${role}`);
          assert.equal(reply.status !== 403, may, `${route} as ${role}: ${reply.status}`);
          if (may) continue;
          const problem = readProblem(reply);
          assert.equal(problem.id, "FL0521");
          assert.equal(problem.facts["needs"], needs);
          assert.equal(problem.facts["has"], role);
          assert.match(String(problem.facts["who"]), new RegExp(`^${role}(, page session \\d+)?$`));
          assert.deepEqual(running.fake.calls, [], route);
        }
      }
      const open = [...EXPECTED.values()].filter((role) => role === "open").length;
      const left = open + (how === "session" ? 1 : 0);
      assert.equal(new Set(cells).size, (EXPECTED.size - left) * ROLES.length);
    });
  }

  test("who shows nothing gets 401 from every route that is not open", async () => {
    await using running = await startApi();
    for (const [route, needs] of EXPECTED) {
      if (needs === "open") continue;
      assert.equal((await ask(running, route, {})).status, 401, route);
    }
  });

  test("a route that states no role is refused to everybody", async () => {
    const app = new OpenAPIHono<ApiEnv>();
    app.use((c, next) => {
      c.set("who", { actor: "unix socket", role: "admin", by: "unix" });
      return next();
    });
    app.use(createRoleCheck(app));
    const responses = { 200: { description: "" } };
    const forgotten = createRoute({ method: "get", path: "/v1/forgotten", responses });
    app.openapi(forgotten, (c) => c.text("done"));
    app.get("/v1/undocumented", (c) => c.text("done"));
    app.onError((error, c) => c.text(error instanceof FairleadError ? error.kind.id : "?", 403));
    for (const path of ["/v1/forgotten", "/v1/undocumented"])
      assert.equal(await (await app.request(path)).text(), "FL0521");
  });

  test("a refusal is a line of the audit log: who, as what, what it takes", async () => {
    const entries: AuditEntry[] = [];
    const audit = { ...silentAudit, note: (entry: AuditEntry) => void entries.push(entry) };
    await using running = await startApi({}, undefined, audit);
    running.users.set("ana", "viewer");
    const headers = { authorization: "Bearer token-of-ana" };
    await running.tcp("/v1/scopes/shop", { method: "DELETE", headers });
    assert.deepEqual(entries, [
      {
        kind: "refused",
        actor: "ana",
        what: "DELETE /v1/scopes/shop",
        outcome: "403",
        facts: { by: "tcp", role: "viewer", needs: "operator" },
      },
    ]);
  });

  test("what a user may ends with the role, in the middle of a session", async () => {
    await using running = await startApi();
    running.users.set("ana", "admin");
    const { headers, reply } = await signIn(running, { token: "token-of-ana" });
    const view = SessionView.parse(JSON.parse(reply.text));
    assert.deepEqual([view.actor, view.role], ["ana, page session 1", "admin"]);
    assert.equal((await ask(running, "GET /v1/audit", headers)).status, 200);
    running.users.set("ana", "viewer");
    assert.equal((await ask(running, "GET /v1/audit", headers)).status, 403);
    assert.equal((await ask(running, "GET /v1/status", headers)).status, 200);
    running.users.delete("ana");
    assert.equal((await ask(running, "GET /v1/status", headers)).status, 401);
    // Nor does it come back with somebody of that name.
    running.users.set("ana", "admin");
    assert.equal((await ask(running, "GET /v1/status", headers)).status, 401);
  });

  test("a link is for its maker or for less, never for more", async () => {
    await using running = await startApi();
    running.users.set("ana", "operator");
    const make = (role: string) =>
      running.tcp(`/v1/sign-in-links${role}`, {
        method: "POST",
        headers: { authorization: "Bearer token-of-ana" },
      });
    const open = async (role: string) => {
      const { url } = SignInLink.parse(JSON.parse((await make(role)).text));
      const once = new URL(url).searchParams.get("once");
      return SessionView.parse(JSON.parse((await signIn(running, { once })).reply.text));
    };
    const own = await open("");
    assert.deepEqual([own.actor, own.role], ["ana, page session 1", "operator"]);
    const less = await open("?role=viewer");
    assert.deepEqual([less.actor, less.role], ["page session 2", "viewer"]);
    assert.equal(readProblem(await make("?role=admin")).id, "FL0521");
  });

  test("who shows a token on the unix socket is no more than that", async () => {
    await using running = await startApi();
    running.users.set("bot", "viewer");
    const as = (authorization: string) => ({ headers: { authorization } });
    const status = await running.unix("/v1/status", as("Bearer token-of-bot"));
    const { you, role } = NodeStatus.parse(JSON.parse(status.text));
    assert.deepEqual([you, role], ["bot", "viewer"]);
    const audit = await running.unix("/v1/audit", as("Bearer token-of-bot"));
    assert.equal(readProblem(audit).id, "FL0521");
    assert.equal((await running.unix("/v1/status", as("Bearer token-of-eve"))).status, 401);
    assert.equal((await running.unix("/v1/audit")).status, 200);
  });

  test("wrong tokens at the page's door are counted like those of programs", async () => {
    await using running = await startApi();
    for (let i = 0; i < 10; i++)
      assert.equal((await signIn(running, { token: "token-of-eve" })).reply.status, 401);
    assert.equal((await signIn(running, { token: "token-of-eve" })).reply.status, 429);
  });
});
