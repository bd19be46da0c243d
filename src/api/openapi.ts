// SPDX-License-Identifier: Apache-2.0
// The OpenAPI 3.1 document, from the schemas that validate.
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { ApiEnv } from "./channel.ts";

const DESCRIPTION = `The same operations that the command line and the page use.
Over the unix socket no token is needed: the mode of the file decides who may.
Over TCP, on loopback too, send \`Authorization: Bearer TOKEN\`, or sign a browser in with a one-time link.
Fields are added within v1, never changed. Every error is a problem document with Fairlead's id, cause and remedy.`;

/** The document of an app's routes. */
export function describeApi(app: OpenAPIHono<ApiEnv>, version: string) {
  const document = app.getOpenAPI31Document({
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
  return {
    ...document,
    components: {
      ...document.components,
      securitySchemes: {
        token: { type: "http", scheme: "bearer" },
        session: {
          type: "apiKey",
          in: "cookie",
          name: "fairlead_7117",
          description: "Named after the port",
        },
      },
    },
  };
}
