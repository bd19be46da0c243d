// SPDX-License-Identifier: Apache-2.0
// docs/reference/openapi.json: the document that a node serves at /v1/openapi.json.
import { z } from "zod";
import { startApi } from "#api/testing/start-api.ts";

/** The document as text, asked of a real API over its socket. */
async function renderOpenApi(): Promise<string> {
  await using running = await startApi();
  const reply = await running.unix("/v1/openapi.json");
  const document = z.record(z.string(), z.unknown()).parse(JSON.parse(reply.text));
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** What this file generates, for scripts/generate.ts. */
export const openApiGenerators = [{ path: "docs/reference/openapi.json", render: renderOpenApi }];
