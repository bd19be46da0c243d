// SPDX-License-Identifier: Apache-2.0
// The words of `fairlead policy` and `fairlead identity`, and what they say to wrong ones.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi } from "#api/testing/start-api.ts";
import { buildNodeView } from "#model/testing/nodes.ts";
import { runFairlead } from "./testing/run-fairlead.ts";

test("the mode of a scope is set by its name or its flag; a dry run sets nothing", async () => {
  await using api = await startApi();
  const run = (line: string) =>
    runFairlead(line.split(" "), { env: { FAIRLEAD_SOCKET: api.socketPath } });
  const listAsked = () =>
    api.fake.calls
      .filter(({ name }) => name === "applyPolicies")
      .map(({ args: [request] }) => (request as { modes: object }).modes);
  for (const line of ["policy mode watch shop", "policy mode watch --scope shop"]) {
    const { code, stderr } = await run(line);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /policy of shop: watch/);
  }
  assert.equal((await run("policy enforce shop")).code, 0);
  assert.deepEqual(listAsked(), [{ shop: "watch" }, { shop: "watch" }, { shop: "enforce" }]);
  const dry = await run("policy mode off shop --dry-run");
  assert.equal(dry.stderr, "policy of shop would be: off\n");
  assert.equal(listAsked().length, 3);
  for (const [line, said] of [
    ["policy mode wathc shop", /FL0605 .*there is no mode wathc[^]*modes +off, watch, enforce/],
    ["policy mode shop watch", /FL0605 .*there is no mode shop[^]*policy mode watch shop/],
    ["policy mode watch", /FL0603 .*say of which scope[^]*policy mode watch SCOPE/],
    ["policy mode", /FL0603 .*say which mode/],
    ["policy enforce shop more", /FL0604 .*takes no "more"/],
    ["policy ls shop", /FL0604 .*takes no "shop"/],
  ] as const) {
    const { code, stderr } = await run(line);
    assert.equal(code, 2, line);
    assert.match(stderr, said, line);
  }
});

test("what is revoked is a node's certificate, or those of a container or a service", async () => {
  await using api = await startApi();
  const run = (line: string) =>
    runFairlead(line.split(" "), { env: { FAIRLEAD_SOCKET: api.socketPath } });
  api.nodes.push(buildNodeView("node-b"));
  assert.match((await run("identity revoke node-b")).stderr, /its connections are cut/);
  assert.equal((await run("identity revoke worker --scope shop --reason seen")).code, 0);
  assert.equal((await run("identity ls --revoked")).code, 0);
  const asked = api.fake.calls.map(({ name, args }) => JSON.stringify([name, args[0], args[1]]));
  assert.ok(
    asked.some((one) => one.startsWith('["revokeIdentity","node-b"')),
    asked.join("\n"),
  );
  assert.ok(asked.includes('["revokeIdentity","worker",{"scope":"shop","reason":"seen"}]'));
  assert.ok(asked.some((one) => one.startsWith('["revokedIdentities"')));
  const { code, stderr } = await run("identity revoke");
  assert.equal(code, 2);
  assert.match(stderr, /say whose/);
});
