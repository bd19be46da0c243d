// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { silentAudit, type AuditEntry, type AuditLog } from "#audit/audit.ts";
import { auditErrors } from "#audit/errors.ts";
import { FairleadError } from "#base/errors.ts";
import { startApi, TOKEN } from "./testing/start-api.ts";

function createRecorder(state: { full?: boolean } = {}): AuditLog & { entries: AuditEntry[] } {
  const entries: AuditEntry[] = [];
  return {
    ...silentAudit,
    entries,
    append(entry) {
      if (state.full === true)
        return Promise.reject(new FairleadError(auditErrors["audit-unwritable"], "no room"));
      return Promise.resolve(entries.push(entry));
    },
    note: (entry) => void entries.push(entry),
  };
}

const JSON_BODY = { "content-type": "application/json" };
const ACTION = { kind: "restart", services: ["canary-value-in-a-body"] };

describe("the audit log of the API", () => {
  test("has each write before it is done, and how it ended; questions are not writes", async () => {
    const audit = createRecorder();
    await using api = await startApi({}, undefined, audit);
    await api.unix("/v1/services");
    await api.unix("/v1/scopes/shop/actions?x=canary-in-a-query", {
      method: "POST",
      headers: JSON_BODY,
      body: JSON.stringify(ACTION),
    });
    const what = "POST /v1/scopes/shop/actions";
    const [asked, ended, ...more] = audit.entries;
    assert.deepEqual(more, []);
    assert.equal(asked?.actor, "unix socket");
    assert.deepEqual([asked.what, asked.outcome, asked.kind], [what, "asked", "api"]);
    assert.equal(ended?.what, what);
    assert.match(ended.outcome, /^\d{3}$/);
    assert.equal(ended.facts?.["asked"], 1);
    assert.doesNotMatch(JSON.stringify(audit.entries), /canary/);
  });

  test("has who was turned away, and no token", async () => {
    const audit = createRecorder();
    await using api = await startApi({}, undefined, audit);
    await api.tcp("/v1/services", { headers: { authorization: "Bearer canary-wrong" } });
    await api.tcp("/v1/scopes/shop", { method: "DELETE", headers: { host: "evil.example" } });
    assert.deepEqual(
      audit.entries.map(({ kind, actor, what, outcome }) => [kind, actor, what, outcome]),
      [
        ["refused", "nobody", "GET /v1/services", "401"],
        ["refused", "nobody", "DELETE /v1/scopes/shop", "403"],
      ],
    );
  });

  test("has sign-ins, without links and cookies", async () => {
    const audit = createRecorder();
    await using api = await startApi({}, undefined, audit);
    const made = await api.unix("/v1/sign-in-links", { method: "POST" });
    const once = /once=([\w-]+)/.exec(made.text)?.[1] ?? "";
    const origin = `http://127.0.0.1:${api.port}`;
    const signedIn = await api.tcp("/v1/session", {
      method: "POST",
      headers: { ...JSON_BODY, origin, host: `127.0.0.1:${api.port}` },
      body: JSON.stringify({ once }),
    });
    assert.equal(signedIn.status, 201);
    const logins = audit.entries.filter(({ kind }) => kind === "login");
    assert.deepEqual(
      logins.map(({ what, outcome }) => `${what} ${outcome}`),
      [
        "POST /v1/sign-in-links asked",
        "POST /v1/sign-in-links 201",
        "POST /v1/session asked",
        "POST /v1/session 201",
      ],
    );
    const cookie = /=([\w-]{20,})/.exec(String(signedIn.headers["set-cookie"]))?.[1] ?? "none";
    for (const secret of [once, cookie, TOKEN])
      assert.ok(!JSON.stringify(audit.entries).includes(secret));
  });

  test("S12: does nothing that cannot be logged, and says so; reading goes on", async () => {
    const audit = createRecorder({ full: true });
    await using api = await startApi({}, undefined, audit);
    const refused = await api.unix("/v1/scopes/shop/actions", {
      method: "POST",
      headers: JSON_BODY,
      body: JSON.stringify(ACTION),
    });
    assert.ok(refused.status >= 400);
    assert.match(refused.text, /FL1601/);
    assert.deepEqual(api.fake.calls, []);
    assert.equal((await api.unix("/v1/services")).status, 200);
  });
});
