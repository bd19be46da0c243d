// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { buildIntent, buildService } from "#brain/testing/builders.ts";
import { createServiceMask, hideDocument, hideIntent } from "./hide.ts";

const CANARY = "canary-8f31b6c2d7";
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const service = buildService({
  name: "postgres",
  container: {
    Image: "postgres:16",
    Env: [
      `DB_PASSWORD=${CANARY}-env`,
      `DATABASE_URL=postgres://u:${CANARY}-url@db:5432/shop`,
      "POSTGRES_PASSWORD=postgres",
      "NODE_ENV=production",
      "PIN=1234",
    ],
    Cmd: ["serve", `--password=${CANARY}-env`],
    Labels: { note: `x ${CANARY}-url y` },
    Healthcheck: { Test: ["CMD-SHELL", `curl -H "x: ${CANARY}-file" localhost`] },
  },
  files: [
    {
      path: "/run/secrets/key",
      mode: 0o444,
      uid: 0,
      gid: 0,
      content: base64(`first\n${CANARY}-file\n`),
    },
  ],
  build: {
    context: "/x",
    dockerfile: "Dockerfile",
    args: { NPM_TOKEN: `${CANARY}-arg` },
    labels: {},
    tags: [],
    cacheFrom: [],
    extraHosts: [],
    noCache: false,
    pull: false,
  },
});

describe("hideIntent()", () => {
  test("hides values where they are declared and where they turn up again", () => {
    const [shown] = hideIntent(buildIntent([service])).services;
    assert.doesNotMatch(JSON.stringify(shown), new RegExp(CANARY));
    assert.equal(
      shown?.container.Image,
      "postgres:16",
      "a password that is a common word hides no image",
    );
    assert.equal(shown?.name, "postgres");
    assert.deepEqual(shown?.container.Cmd, ["serve", "--password=[hidden]"]);
    assert.ok(shown?.container.Env?.includes("NODE_ENV=[hidden]"));
  });
});

describe("hideDocument()", () => {
  test("hides them in what the engine says of a container, with and without an intent", () => {
    const { container } = service;
    const document = {
      Id: "c1",
      Image: "sha256:1",
      Path: "serve",
      Args: [`--password=${CANARY}-env`],
      State: { Status: "running", Health: { Log: [{ Output: `refused: ${CANARY}-url` }] } },
      Config: { ...container, Healthcheck: undefined },
    };
    const shown = JSON.stringify(hideDocument(document));
    assert.doesNotMatch(shown, new RegExp(CANARY));
    const said = { ...document, State: { Error: `${CANARY}-file` } };
    assert.match(JSON.stringify(hideDocument(said)), new RegExp(CANARY));
    assert.doesNotMatch(JSON.stringify(hideDocument(said, service)), new RegExp(CANARY));
  });
});

describe("createServiceMask()", () => {
  const mask = createServiceMask(service);
  for (const text of [
    `using ${CANARY}-env now`,
    `{"auth":"${CANARY}-env"}`,
    `connect postgres://u:${CANARY}-url@db`,
    `key ${CANARY}-file`,
    `npm ${CANARY}-arg`,
  ])
    test(`hides the value in "${text.replaceAll(CANARY, "…")}"`, () => {
      assert.doesNotMatch(mask(text), new RegExp(CANARY));
    });
  test("leaves short values and those of other variables as they are", () => {
    const text = "pin 1234 in production on db:5432";
    assert.equal(mask(text), text);
  });
  test("hides nothing where the service is not known", () => {
    assert.equal(createServiceMask(undefined)(CANARY), CANARY);
  });
});
