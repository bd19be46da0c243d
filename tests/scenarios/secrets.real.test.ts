// SPDX-License-Identifier: Apache-2.0
// A secret goes into its container and nowhere else: not into answers, records, logs, errors or the engine's labels.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { IMAGE, until } from "#lab/rig.ts";
import { openScenario, type Scenario } from "./scenario.ts";

const CANARY = "canary-8f31b6c2d7";
const FILE = `
name: secret
services:
  app:
    image: ${IMAGE}
    command: ["sh", "-c", "echo password=$$PASSWORD; sleep 1; exit 5"]
    environment: { PASSWORD: "${CANARY}-env", DATABASE_URL: "postgres://u:${CANARY}-url@db/x" }
    secrets: [key]
    labels: { fairlead.heal: "restart max=2/10m" }
secrets:
  key: { environment: FL_TEST_KEY }
`;

describe("secrets", () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await openScenario();
  });
  after(() => scenario[Symbol.asyncDispose]());

  it("stay in the container through create, failure, evidence, quarantine and questions", async () => {
    const { rig } = scenario;
    const file = scenario.file(FILE);
    const up = await rig.cli(["up", "-f", file, "-d"], {
      env: { FL_TEST_KEY: `${CANARY}-key` },
    });
    assert.equal(up.code, 0, up.stderr);
    await until(
      "it is quarantined",
      40_000,
      async () => (await scenario.service("secret", "app")).state === "quarantined",
      50,
    );
    const produced: string[] = [up.stdout, up.stderr];
    for (const path of [
      "status",
      "scopes",
      "scopes/secret",
      "scopes/secret/intent",
      "services",
      "instances",
      "decisions?scope=secret&limit=100",
      "alerts",
      "why?object=app&scope=secret",
      "inspect?object=app&scope=secret",
      "inspect?object=secret-app-1&scope=secret",
    ]) {
      const { status, body } = await rig.ask<unknown>(path);
      assert.equal(status, 200, path);
      produced.push(JSON.stringify(body));
    }
    for (const args of [
      ["why", "app", "--scope", "secret"],
      ["inspect", "app", "--scope", "secret"],
      ["ps", "-A", "-o", "json"],
    ]) {
      const { stdout, stderr } = await rig.cli(args);
      produced.push(stdout, stderr);
    }
    for (const text of produced)
      assert.ok(
        !text.includes(CANARY),
        text.slice(Math.max(0, text.indexOf(CANARY) - 200), text.indexOf(CANARY) + 60),
      );
    const document = await rig.engine.inspectRaw("secret-app-1");
    const labels = (document?.["Config"] as { Labels?: object } | undefined)?.Labels;
    assert.ok(!JSON.stringify(labels).includes(CANARY));
  });

  it("are in the container", async () => {
    const document = await scenario.rig.engine.inspectRaw("secret-app-1");
    const env = (document?.["Config"] as { Env?: string[] } | undefined)?.Env ?? [];
    assert.ok(env.includes(`PASSWORD=${CANARY}-env`));
  });

  it("are kept in files that only the owner can read", () => {
    const store = readFileSync(join(scenario.rig.directory, "state/token"), "utf8");
    assert.ok(store.length > 32);
  });
});
