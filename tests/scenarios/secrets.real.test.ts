// SPDX-License-Identifier: Apache-2.0
// A secret goes into its container and nowhere else: not into answers, records, logs, errors or the engine's labels.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { IMAGE, until, type Rig } from "#lab/rig.ts";
import { openScenario, type Scenario } from "./scenario.ts";

const CANARY = "canary-8f31b6c2d7";
/** What a label says is no secret on this host; it is not given away either. */
const LABEL = "label-5e8a1f0c";
/** The secret as a program, a command line, a label, a health check and an error of the engine may say it. */
const FILE = `
name: secret
services:
  app:
    image: ${IMAGE}
    command: ["sh", "-c", "echo password=$$PASSWORD; echo using $$API_TOKEN; cat /run/secrets/key /etc/app.conf; sleep 1; exit 5"]
    environment: { PASSWORD: "${CANARY}-env", API_TOKEN: "\${FL_TEST_TOKEN}", DATABASE_URL: "postgres://u:${CANARY}-url@db/x" }
    secrets: [key]
    configs: [{ source: conf, target: /etc/app.conf }]
    labels: { fairlead.heal: "restart max=2/10m" }
  argued:
    image: ${IMAGE}
    command: ["sh", "-c", "sleep 1000", "--token=\${FL_TEST_TOKEN}"]
    environment: { API_TOKEN: "\${FL_TEST_TOKEN}" }
    labels: { note: "token \${FL_TEST_TOKEN}", sign: ${LABEL}, fairlead.heal: "restart max=2/10m" }
    healthcheck: { test: ["CMD-SHELL", "echo refused for $$API_TOKEN; exit 1"], interval: 300ms, timeout: 5s, retries: 1, start_period: 0s }
    stop_grace_period: 0s
  broken:
    image: ${IMAGE}
    command: ["no-such-program-\${FL_TEST_TOKEN}"]
    environment: { API_TOKEN: "\${FL_TEST_TOKEN}" }
    labels: { fairlead.heal: "restart max=2/10m" }
secrets:
  key: { environment: FL_TEST_KEY }
configs:
  conf: { content: "${CANARY}-conf" }
`;
/** Everything in a support bundle of a host that has secrets in its environment, its registries and its node's log too. */
async function readBundle({ directory, cli, env }: Rig): Promise<string> {
  const docker = join(directory, "docker");
  const state = env["FAIRLEAD_STATE_DIR"] ?? "";
  mkdirSync(docker);
  const auth = Buffer.from(`user:${CANARY}-registry`).toString("base64");
  const auths = { "registry.example": { auth, identitytoken: `${CANARY}-identity` } };
  writeFileSync(join(docker, "config.json"), JSON.stringify({ auths }));
  const token = readFileSync(join(state, "token"), "utf8").trim();
  const lines = [
    {
      message: "asked",
      authorization: `Bearer ${CANARY}-bearer`,
      url: `https://u:${CANARY}-in@x/`,
    },
    { message: `ran --password ${CANARY}-flag, API_TOKEN=${CANARY}-equal, auth ${auth}` },
    { message: `the node's own ${token}` },
  ];
  writeFileSync(
    join(state, "node.log"),
    [
      ...lines.map((line) => JSON.stringify(line)),
      `login with ${CANARY}-registry as ${CANARY}-shell`,
      `-----BEGIN PRIVATE KEY-----\n${CANARY}-pem\n-----END PRIVATE KEY-----`,
    ].join("\n"),
    { mode: 0o600 },
  );
  const file = join(directory, "bundle.tar.gz");
  const { code, stdout, stderr } = await cli(["support", "-o", file], {
    env: { DOCKER_CONFIG: docker, MY_PASSWORD: `${CANARY}-shell`, LC_ALL: "C.UTF-8" },
  });
  assert.equal(code, 0, stderr);
  assert.equal(stdout, `${file}\n`);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const text = execFileSync("tar", ["--extract", "--to-stdout", `--file=${file}`], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  for (const word of ["service.quarantine", '"fairlead":', "PASSWORD=[hidden]", "Left out:"])
    assert.ok(text.includes(word), word);
  assert.deepEqual(text.match(/.* NOT THERE.*/g), null);
  assert.ok(!text.includes(token) && !text.includes(auth), "a token of this host");
  assert.ok(!text.includes(LABEL), "a label");
  return text;
}
const SERVICES = ["app", "argued", "broken"];
const GROUP_AND_OTHERS = 0o077;

/** Everything below a directory, with its mode. */
function listModes(directory: string): (readonly [string, number])[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) => {
    const path = join(directory, name);
    return [path, statSync(path).mode & 0o777] as const;
  });
}

describe("secrets", () => {
  let scenario: Scenario;
  const said: string[] = [];
  const env = { FL_TEST_KEY: `${CANARY}-key`, FL_TEST_TOKEN: `${CANARY}-token` };
  before(async () => {
    scenario = await openScenario({
      env: { FAIRLEAD_LOG_LEVEL: "debug" },
      onNodeLog: (text) => said.push(text),
    });
  });
  after(() => scenario[Symbol.asyncDispose]());

  function keepSecret(what: string, text: string): void {
    const at = text.indexOf(CANARY);
    assert.ok(at < 0, `${what}: …${text.slice(Math.max(0, at - 200), at + 60)}`);
  }

  it("stay in the container through create, failure, evidence, quarantine and questions", async () => {
    const { rig } = scenario;
    const file = scenario.file(FILE);
    const produce = async (args: readonly string[], code?: number): Promise<void> => {
      const { stdout, stderr, ...result } = await rig.cli(args, { env });
      if (code !== undefined) assert.equal(result.code, code, `${args.join(" ")}\n${stderr}`);
      keepSecret(args.join(" "), stdout + stderr);
    };
    const events: string[] = [];
    const listening = request({ socketPath: rig.socket, path: "/v1/events" }, (response) => {
      response.setEncoding("utf8").on("data", (chunk: string) => events.push(chunk));
      response.on("error", () => undefined);
    });
    listening.on("error", () => undefined).end();
    await produce(["up", "-f", file, "--dry-run", "-o", "json"], 0);
    await produce(["up", "-f", file, "-d"], 0);
    await until(
      "all have given up",
      90_000,
      async () => {
        const states = await Promise.all(SERVICES.map((name) => scenario.service("secret", name)));
        return states.every(({ state }) => state === "quarantined");
      },
      50,
    );
    const told = await scenario.decisions("secret");
    assert.ok(
      told.some(({ before }) => before?.logTail?.some((line) => line.includes("[hidden]"))),
    );
    assert.ok(told.some(({ before }) => before?.healthOutput?.includes("[hidden]")));
    for (const path of [
      "status",
      "scopes",
      "scopes/secret",
      "scopes/secret/intent",
      "services",
      "instances",
      "decisions?scope=secret&limit=500",
      "alerts",
      ...SERVICES.flatMap((name) => [
        `why?object=${name}&scope=secret`,
        `inspect?object=${name}&scope=secret`,
      ]),
      "inspect?object=secret-app-1&scope=secret",
      "inspect?object=secret-argued-1&scope=secret",
    ]) {
      const { status, body } = await rig.ask<unknown>(path);
      assert.equal(status, 200, path);
      keepSecret(path, JSON.stringify(body));
    }
    const scope = ["--scope", "secret"];
    for (const args of [
      ...SERVICES.map((name) => ["why", name, ...scope]),
      ["inspect", "app", ...scope],
      ["inspect", "secret-argued-1", ...scope],
      ["ps", "-A", "-o", "json"],
      ["services", "-A", "-o", "wide"],
      ["decisions", "-A", "-o", "json"],
      ["plan", "-f", file, "-o", "json"],
      // At the end of a wait that failed stand the last lines of what the programs wrote themselves.
      ["up", "-f", file, "--timeout", "5s"],
      ["logs", ...scope],
      ["logs", "app", ...scope, "-o", "json"],
      ["restart", "app", ...scope, "--dry-run"],
      ["down", ...scope, "--dry-run", "-o", "json"],
    ])
      await produce(args);
    keepSecret("a support bundle", await readBundle(rig));
    const wrong = await rig.ask<unknown>("scopes/secret/intent", {
      method: "PUT",
      body: {
        intent: { scope: "secret", services: [{ container: { Env: [`X=${CANARY}-echo`] } }] },
      },
    });
    assert.equal(wrong.status, 400);
    keepSecret("a refusal", JSON.stringify(wrong.body));
    listening.destroy();
    assert.ok(events.join("").includes("decision"));
    keepSecret("the event stream", events.join(""));
    assert.ok(said.join("").includes("the node answers"));
    keepSecret("the node's log", said.join(""));
  });

  it("come by file into a service that is read-only, whose engine takes no contents", async () => {
    const { rig } = scenario;
    const text = (given: string): string => `name: sealed
services:
  app:
    image: ${IMAGE}
    read_only: true
    command: ["sleep", "1000"]
    healthcheck: { test: ["CMD", "busybox", "grep", "-q", "a key", "/run/secrets/key"], interval: 300ms, timeout: 5s }
    stop_grace_period: 0s
    secrets: [key]
secrets:
  key: { ${given} }
`;
    const refused = await scenario.up(scenario.file(text("environment: HOME")), [], 2);
    assert.match(refused.stderr, /^error FL0219 [^]*at +\S*compose\.yaml:9:/m);
    scenario.file("a key", "key.txt");
    await scenario.up(scenario.file(text("file: ./key.txt")));
    const { state, healthy } = await scenario.service("sealed", "app");
    assert.deepEqual([state, healthy], ["ok", 1]);
    const making = rig.engine.createInstance(
      {
        name: "sealed-by-content",
        config: { Image: IMAGE, HostConfig: { ReadonlyRootfs: true } },
        labels: {},
        networkMode: "none",
        endpoints: [],
        files: [{ path: "/key", mode: 0o444, uid: 0, gid: 0, content: Buffer.from("a key") }],
      },
      { decision: "dec_test" },
    );
    await assert.rejects(making, /read-only/);
  });

  it("are in the container", async () => {
    const document = await scenario.rig.engine.inspectRaw("secret-app-1");
    const env = (document?.["Config"] as { Env?: string[] } | undefined)?.Env ?? [];
    assert.ok(env.includes(`PASSWORD=${CANARY}-env`));
  });

  it("are kept in files that only the owner can read", () => {
    const state = join(scenario.rig.directory, "state");
    const found = [[state, statSync(state).mode & 0o777] as const, ...listModes(state)];
    assert.ok(found.some(([path]) => path.endsWith("store.db")));
    const open = found.filter(([, mode]) => (mode & GROUP_AND_OTHERS) !== 0);
    assert.deepEqual(
      open.map(([path, mode]) => `${path} ${mode.toString(8)}`),
      [],
    );
  });

  it("are printed by `config`, which shows a user the user's own file", async () => {
    const { stdout } = await scenario.rig.cli(["config", "-f", scenario.file(FILE)], { env });
    assert.ok(stdout.includes(`${CANARY}-token`));
    assert.ok(!stdout.includes(`${CANARY}-key`), "a secret is named, not read");
  });
});
