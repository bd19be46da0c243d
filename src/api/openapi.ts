// SPDX-License-Identifier: Apache-2.0
// The OpenAPI 3.1 document, from the schemas that validate.
import * as container from "@fairlead/protocol/container.ts";
import * as decision from "@fairlead/protocol/decision.ts";
import * as intent from "@fairlead/protocol/intent.ts";
import * as requests from "@fairlead/protocol/requests.ts";
import * as routes from "@fairlead/protocol/routes.ts";
import * as views from "@fairlead/protocol/views.ts";
import { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { canonicalJson } from "#base/canonical-json.ts";
import type { ApiEnv } from "./channel.ts";

const DESCRIPTION = `The same operations that the command line and the page use.
Over the unix socket no token is needed: the mode of the file decides who may.
Over TCP, on loopback too, send \`Authorization: Bearer TOKEN\`, or sign a browser in with a one-time link.
Fields are added within v1, never changed. Every error is a problem document with Fairlead's id, cause and remedy.`;

/** What the schemas are called in the document: as they are exported. */
const EXPORTED: Readonly<Record<string, unknown>> = {
  ...container,
  ...decision,
  ...intent,
  ...requests,
  ...views,
  ...routes,
};
const NAMED = Object.entries(EXPORTED).flatMap(([name, schema]): [string, z.ZodType][] =>
  schema instanceof z.ZodType ? [[name, schema]] : [],
);

const HEAD = { openapi: "3.1.0", info: { title: "Fairlead", version: "" } };
const JSON_TYPE = "application/json";

/** The JSON Schema of every named schema, made by the same generator as the rest of the document. */
function describeNamed(): ReadonlyMap<string, unknown> {
  const shelf = new OpenAPIHono();
  for (const [name, schema] of NAMED) {
    shelf.openAPIRegistry.registerPath({
      method: "get",
      path: `/${name}`,
      responses: { 200: { description: "", content: { [JSON_TYPE]: { schema } } } },
    });
  }
  const { paths } = shelf.getOpenAPI31Document(HEAD);
  const found = new Map<string, unknown>();
  for (const [name] of NAMED) {
    const answer: unknown = paths?.[`/${name}`]?.get?.responses?.[200];
    const shape = z.object({
      content: z.object({ [JSON_TYPE]: z.object({ schema: z.unknown() }) }),
    });
    found.set(name, shape.parse(answer).content[JSON_TYPE]?.schema);
  }
  return found;
}

/** A copy of `value` in which each object that has a name is a reference to it; `self` is not replaced at the top. */
function refer(value: unknown, names: ReadonlyMap<string, string>, self?: string): unknown {
  if (typeof value !== "object" || value === null) return value;
  const name = names.get(canonicalJson(value));
  if (name !== undefined && name !== self) return { $ref: `#/components/schemas/${name}` };
  if (Array.isArray(value)) return value.map((item) => refer(item, names));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, refer(item, names)]));
}

/** The document of an app's routes. */
export function describeApi(app: OpenAPIHono<ApiEnv>, version: string): object {
  const { paths, ...rest } = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Fairlead",
      version,
      description: DESCRIPTION,
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    servers: [{ url: "http://127.0.0.1:7117" }],
    security: [{ token: [] }, { session: [] }, {}],
  });
  const named = describeNamed();
  const names = new Map([...named].map(([name, schema]) => [canonicalJson(schema), name]));
  const session = { type: "apiKey", in: "cookie", name: "fairlead_7117" };
  return {
    ...rest,
    paths: refer(paths, names),
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer" },
        session: { ...session, description: "Named after the port" },
      },
      schemas: Object.fromEntries(
        [...named].map(([name, schema]) => [name, refer(schema, names, name)]),
      ),
    },
  };
}
