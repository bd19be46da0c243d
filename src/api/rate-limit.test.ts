// SPDX-License-Identifier: Apache-2.0
// A client that asks too often is told so, and nobody else suffers from it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { AuditEntry } from "#audit/audit.ts";
import { silentAudit } from "#audit/audit.ts";
import { startApi } from "./testing/start-api.ts";

const FEW = { requestsPerSecondMax: 2, requestsAtOnceMax: 5, failuresPerMinuteMax: 1_000 };

describe("how often one may ask", () => {
  test("one client is told to wait, others and the unix socket are not; it is written down once", async () => {
    const audited: AuditEntry[] = [];
    const audit = { ...silentAudit, note: (entry: AuditEntry) => void audited.push(entry) };
    await using running = await startApi(FEW, undefined, audit);
    running.users.set("ana", "viewer");
    const asAna = { headers: { authorization: "Bearer token-of-ana" } };
    const statuses: number[] = [];
    for (let i = 0; i < 8; i++) statuses.push((await running.tcp("/v1/status", asAna)).status);
    assert.deepEqual(statuses.slice(0, 5), [200, 200, 200, 200, 200]);
    assert.equal(statuses.at(-1), 429);
    const refused = await running.tcp("/v1/status", asAna);
    assert.match(refused.text, /FL0522/);
    assert.match(refused.text, /"client":"ana"/);
    assert.equal(refused.headers["retry-after"], "1");
    assert.equal((await running.tcp("/v1/status")).status, 200, "the node's own token");
    for (let i = 0; i < 20; i++) assert.equal((await running.unix("/v1/status")).status, 200);
    assert.equal(audited.filter(({ kind }) => kind === "refused").length, 1);
    running.advance(1_000);
    assert.equal((await running.tcp("/v1/status", asAna)).status, 200);
  });

  test("who is nobody has what their address has, and does not fill the audit log", async () => {
    const audited: AuditEntry[] = [];
    const audit = { ...silentAudit, note: (entry: AuditEntry) => void audited.push(entry) };
    await using running = await startApi(FEW, undefined, audit);
    const wrong = { headers: { authorization: "Bearer no" } };
    const statuses: number[] = [];
    for (let i = 0; i < 20; i++) statuses.push((await running.tcp("/v1/status", wrong)).status);
    assert.deepEqual([...new Set(statuses)], [401, 429]);
    assert.ok(audited.length < 10, `${audited.length} lines`);
    assert.equal((await running.tcp("/v1/status")).status, 200, "who has a token is not held up");
  });
});
