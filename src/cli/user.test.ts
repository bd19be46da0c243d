// SPDX-License-Identifier: Apache-2.0
// `fairlead user` and commands as a user: what they print, and how a refusal ends.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startApi } from "#api/testing/start-api.ts";
import { runFairlead } from "./testing/run-fairlead.ts";

describe("fairlead user", () => {
  test("lets users in with a token, lists them, and takes them back", async () => {
    await using api = await startApi();
    const run = (line: string) =>
      runFairlead(line.split(" "), { env: { FAIRLEAD_SOCKET: api.socketPath } });
    assert.match((await run("user ls")).stderr, /who reaches the node's unix socket is admin/);
    const made = await run("user add ana --role operator");
    assert.equal(made.code, 0, made.stderr);
    assert.equal(made.stdout, "FAIRLEAD_TOKEN=token-of-ana\n");
    assert.match(made.stderr, /ana is operator with it/);
    assert.match((await run("user ls")).stdout, /^USER +ROLE .*\nana +operator /);
    const gone = await run("user rm ana");
    assert.equal(gone.code, 0, gone.stderr);
    assert.equal(api.users.size, 0);
    for (const line of ["user add", "user add ana", "user revoke ana", "user rm"])
      assert.equal((await run(line)).code, 2, line);
    assert.equal((await run("user add Ana --role viewer")).code, 2);
    assert.equal((await run("user add automatic --role viewer")).code, 2);
  });

  test("a command as a user is refused with who, and what it takes: code 4", async () => {
    await using api = await startApi();
    api.users.set("ana", "viewer");
    const env = { FAIRLEAD_SOCKET: api.socketPath, FAIRLEAD_TOKEN: "token-of-ana" };
    const run = (line: string) => runFairlead(line.split(" "), { env });
    assert.match((await run("status")).stdout, /you are ana \(viewer\)/);
    const refused = await run("restart web --scope shop");
    assert.equal(refused.code, 4, refused.stderr);
    assert.match(refused.stderr, /FL0521 role-too-low/);
    assert.match(refused.stderr, /who +ana\n +has +viewer\n +needs +operator/);
    const wrong = await runFairlead(["status"], { env: { ...env, FAIRLEAD_TOKEN: "flu_eve" } });
    assert.match(wrong.stderr, /FL0505/);
  });
});
