// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { z } from "zod";
import { startApi, type TestApi } from "./testing/start-api.ts";

const Document = z.object({
  openapi: z.string(),
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
  components: z.object({ schemas: z.record(z.string(), z.record(z.string(), z.unknown())) }),
});

function listReferences(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    key === "$ref" && typeof item === "string" ? [item] : listReferences(item),
  );
}

describe("the OpenAPI document", () => {
  let running: TestApi;
  let document: z.infer<typeof Document>;
  before(async () => {
    running = await startApi();
    const reply = await running.unix("/v1/openapi.json");
    document = Document.parse(JSON.parse(reply.text));
  });
  after(() => running[Symbol.asyncDispose]());

  it("is OpenAPI 3.1 and names every route of the issue", () => {
    assert.match(document.openapi, /^3\.1\./);
    for (const [path, methods] of [
      ["/v1/status", ["get"]],
      ["/v1/scopes", ["get"]],
      ["/v1/scopes/{scope}", ["delete", "get"]],
      ["/v1/scopes/{scope}/intent", ["get", "put"]],
      ["/v1/scopes/{scope}/actions", ["post"]],
      ["/v1/scopes/{scope}/replicas", ["put"]],
      ["/v1/services", ["get"]],
      ["/v1/instances", ["get"]],
      ["/v1/decisions", ["get"]],
      ["/v1/decisions/{id}", ["get"]],
      ["/v1/logs", ["get"]],
      ["/v1/events", ["get"]],
      ["/v1/why", ["get"]],
      ["/v1/plans", ["post"]],
      ["/v1/builds", ["post"]],
    ] as const) {
      assert.deepEqual(Object.keys(document.paths[path] ?? {}).toSorted(), methods, path);
    }
  });

  it("every reference leads somewhere, and every schema is one that ajv compiles", () => {
    const known = new Set(
      Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`),
    );
    for (const reference of listReferences(document)) assert.ok(known.has(reference), reference);
    const ajv = new Ajv2020({ strict: false, logger: false });
    ajv.addSchema({ $id: "doc", components: document.components });
    for (const reference of known) assert.ok(ajv.getSchema(`doc${reference}`), reference);
  });

  it("its schemas accept what the API answers", async () => {
    const ajv = new Ajv2020({ strict: false, logger: false });
    ajv.addSchema({ $id: "doc", components: document.components });
    for (const [path, name] of [
      ["/v1/status", "NodeStatus"],
      ["/v1/services", "ServiceList"],
      ["/v1/decisions", "DecisionList"],
      ["/v1/scopes/shop/intent", "Intent"],
      ["/v1/nothing", "Problem"],
    ] as const) {
      const validate = ajv.getSchema(`doc#/components/schemas/${name}`);
      const reply = await running.unix(path);
      assert.ok(validate?.(JSON.parse(reply.text)), `${name}: ${JSON.stringify(validate?.errors)}`);
    }
  });
});
