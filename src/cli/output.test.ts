// SPDX-License-Identifier: Apache-2.0
// What stands on stdout and stderr, by form, terminal and locale.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { parse } from "yaml";
import { startApi, type TestApi } from "#api/testing/start-api.ts";
import { type Run, runFairlead } from "./testing/run-fairlead.ts";

// oxlint-disable-next-line no-control-regex -- colour is what is looked for
const COLOR = /\u001b\[[0-9;]+m/;

describe("output", { concurrency: 3 }, () => {
  let api: TestApi;
  before(async () => {
    api = await startApi();
  });
  after(() => api[Symbol.asyncDispose]());

  const run = (line: string, env: Record<string, string> = {}): Promise<Run> =>
    runFairlead(line.split(" "), { env: { FAIRLEAD_SOCKET: api.socketPath, ...env } });

  test("-o json is one document: apiVersion, kind, asOf, partial, missing, items", async () => {
    for (const line of [
      "ps -A",
      "services -A",
      "alerts -A",
      "decisions -A",
      "status",
      "why worker --scope shop",
      "top --once",
      "explain FL0611",
      "explain",
      "version",
      "capabilities",
      "restart --scope shop --dry-run",
      "ui --show-url",
      "doctor --only node",
    ]) {
      const { stdout } = await run(`${line} -o json`);
      const document: Record<string, unknown> = JSON.parse(stdout);
      assert.deepEqual(
        Object.keys(document),
        ["apiVersion", "kind", "asOf", "partial", "missing", "items"],
        line,
      );
      assert.equal(document["apiVersion"], "fairlead/v1");
      assert.ok(Array.isArray(document["items"]), line);
    }
  });

  test("services of several scopes are told apart", async () => {
    await using other = await startApi();
    const [first] = other.fake.services;
    assert.ok(first !== undefined);
    const env = { FAIRLEAD_SOCKET: other.socketPath };
    const one = await runFairlead(["services", "-A"], { env });
    assert.match(one.stdout, /^NAME /);
    other.fake.services.push({ ...first, scope: "other" });
    const several = await runFairlead(["services", "-A"], { env });
    assert.match(several.stdout, /^SCOPE +NAME /);
  });

  test("a name that nothing has is an error, also in ps", async () => {
    const { code, stderr } = await run("ps -A wbe");
    assert.equal(code, 2);
    assert.match(stderr, /^error FL0622 [^]*did you mean "web"\?$/m);
  });

  test("a filter that nothing passes is named, with how many there are without it", async () => {
    const { stdout, stderr, code } = await run(
      "services -A --filter state=ok --filter name=nobody",
    );
    assert.deepEqual([code, stdout], [0, ""]);
    assert.match(
      stderr,
      /^none of [1-9]\d* services matches --filter state=ok --filter name=nobody$/m,
    );
    const json = await run("services -A --filter name=nobody -o json");
    assert.deepEqual(JSON.parse(json.stdout).items, []);
  });

  test("-o yaml says the same as -o json", async () => {
    const [json, yaml] = await Promise.all([
      run("services -A -o json"),
      run("services -A -o yaml"),
    ]);
    const [one, other]: Record<string, unknown>[] = [JSON.parse(json.stdout), parse(yaml.stdout)];
    assert.deepEqual(other?.["items"], one?.["items"]);
  });

  test("-o jsonl is one object a line, -o name and -q one name a line", async () => {
    const [jsonl, name, quiet] = await Promise.all(
      ["-o jsonl", "-o name", "-q"].map((flag) => run(`services -A ${flag}`)),
    );
    const names = jsonl?.stdout
      .trim()
      .split("\n")
      .map((line): string => JSON.parse(line).name);
    assert.deepEqual(names, ["web", "db", "worker", "report", "migrate"]);
    assert.equal(name?.stdout, `${names?.join("\n")}\n`);
    assert.equal(quiet?.stdout, name?.stdout);
  });

  test("tables go to stdout; warnings of the files stand where the answer stands, on stderr", async () => {
    const { stderr, stdout } = await run("services -A");
    assert.match(stdout, /^NAME +STATE +RUNNING +IMAGE +PORTS +WHY\nweb +ok +2\/2 /);
    assert.match(stderr, /^report: warning FL\d+ \S+ compose\.yaml:44:7: .*fairlead\.heal/m);
  });

  test("ps says what a service of which nothing is there waits for", async () => {
    await using own = await startApi();
    const [web] = own.fake.services;
    assert.ok(web);
    const reason = "the constraint node.id == x is not met: node.id is y here";
    own.fake.services[0] = { ...web, state: "degraded", reason, instances: [] };
    const env = { FAIRLEAD_SOCKET: own.socketPath };
    const { code, stderr } = await run("ps --scope shop", env);
    assert.equal(code, 0);
    assert.ok(stderr.includes(`web: degraded, no instance: ${reason}\n`), stderr);
    assert.ok(!(await run("ps worker --scope shop", env)).stderr.includes("web:"));
    own.fake.services[0] = { ...web, wanted: 0, instances: [] };
    assert.ok(!(await run("ps --scope shop", env)).stderr.includes("no instance"));
  });

  test("a pipe, NO_COLOR, CI and TERM=dumb get no colour; --color always forces it", async () => {
    for (const env of [{}, { NO_COLOR: "1" }, { CI: "true" }, { TERM: "dumb" }]) {
      const { stderr, stdout } = await run("services -A", env);
      assert.doesNotMatch(stdout + stderr, COLOR);
    }
    const forced = await run("services -A --color always", { NO_COLOR: "1" });
    assert.match(forced.stdout, COLOR);
  });

  test("colour changes nothing but colour", async () => {
    const [plain, painted] = await Promise.all([
      run("services -A"),
      run("services -A --color always"),
    ]);
    assert.equal(painted.stdout.replaceAll(new RegExp(COLOR, "g"), ""), plain.stdout);
  });

  test("a locale that is not UTF-8 gets ASCII, with the same words", async () => {
    const [ascii, unicode] = await Promise.all([run("status", { LANG: "C" }), run("status")]);
    // oxlint-disable-next-line no-control-regex -- nothing above ASCII is what is wanted
    assert.match(ascii.stdout, /^[\x00-\x7f]+$/);
    assert.match(ascii.stdout, /^\+ engine/m);
    assert.match(unicode.stdout, /^✓ engine/m);
    const words = (text: string) => text.replaceAll(/[^a-zA-Z ]/g, "").replaceAll(/ +/g, " ");
    assert.equal(words(ascii.stdout), words(unicode.stdout));
  });

  test("log lines keep their colours only where colour is wanted, and can never move the cursor", async () => {
    api.fake.logs.push({
      scope: "shop",
      service: "db",
      instance: "shop-db-1",
      stream: "stdout",
      atMs: 0,
      text: "a\u001b[2Jb\u0007c",
    });
    const [plain, painted] = await Promise.all([
      run("logs --scope shop"),
      run("logs --scope shop --color always"),
    ]);
    assert.ok(!plain.stdout.includes("\u001b"));
    assert.ok(painted.stdout.includes("\u001b[31mredis: connection refused\u001b[0m"));
    assert.match(painted.stdout, /a\uFFFD\[2Jb\uFFFDc/);
  });

  test("--filter: repeats of one key are OR, different keys AND; an unknown key is told with the keys there are", async () => {
    const [either, both, wrong] = await Promise.all([
      run("services -A -q --filter state=ok --filter state=healing"),
      run("services -A -q --filter state=ok --filter name=db"),
      run("services -A --filter stat=ok"),
    ]);
    assert.equal(either.stdout, "web\ndb\nworker\n");
    assert.equal(both.stdout, "db\n");
    assert.match(wrong.stderr, /^error FL0605 [^]*did you mean state=\?/);
    assert.equal(wrong.code, 2);
  });

  test("a partial answer says so on stderr and in the document", async () => {
    await using other = await startApi();
    other.fake.missing = ["engine: not connected"];
    const env = { FAIRLEAD_SOCKET: other.socketPath };
    const { stderr, stdout } = await runFairlead(["ps", "-A", "-o", "json"], { env });
    const document: Record<string, unknown> = JSON.parse(stdout);
    assert.equal(document["partial"], true);
    assert.match(stderr, /partial: no answer from engine: not connected/);
  });

  test("what a node finds about itself is no silence of others", async () => {
    await using other = await startApi();
    other.fake.missing = ["policy: rules are still being made", "b: it is gone"];
    const env = { FAIRLEAD_SOCKET: other.socketPath };
    const { stderr } = await runFairlead(["ps", "-A"], { env });
    assert.match(stderr, /^! policy: rules are still being made$/m);
    assert.match(stderr, /^! partial: no answer from b: it is gone$/m);
  });

  test("what is not known is told neither as nothing nor as none", async () => {
    await using other = await startApi();
    const { fake } = other;
    fake.missing = ["engine: not connected"];
    fake.services.length = 0;
    fake.status = {
      ...fake.status,
      services: 0,
      engine: { reachable: false, endpoint: "unix:///x", problem: "not connected" },
    };
    const env = { FAIRLEAD_SOCKET: other.socketPath };
    const list = await runFairlead(["services", "-A"], { env });
    assert.equal(list.stderr, "! partial: no answer from engine: not connected\n");
    const status = await runFairlead(["status"], { env });
    assert.match(status.stdout, /^\? services +not known$/m);
    assert.equal(status.code, 3);
  });

  test("a reader that goes away early ends the command quietly", async () => {
    const { stderr } = await runFairlead(["explain"], {
      onOutput: (child) => void child.stdout?.destroy(),
    });
    assert.equal(stderr, "");
  });

  test("every command has a page of help that names its flags", async () => {
    const { stdout } = await run("capabilities -o json");
    const [{ commands }] = JSON.parse(stdout).items;
    assert.ok(commands.length > 20);
    for (const command of ["up", "ps", "why"]) {
      const help = await run(`${command} --help`);
      const flags: { name: string }[] = commands.find(
        (one: { name: string }) => one.name === command,
      ).flags;
      for (const flag of flags)
        assert.ok(help.stdout.includes(flag.name), `${command} ${flag.name}`);
      assert.match(help.stdout, new RegExp(`^Usage: fairlead ${command} `));
      assert.equal(help.code, 0);
    }
  });
});
