// SPDX-License-Identifier: Apache-2.0
// What role each route takes. It stands in the route's own definition; what states none is refused to everybody.
import { isEnough, type Role } from "@fairlead/protocol/access.ts";
import { createRoute, type OpenAPIHono, type RouteConfig } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import { FairleadError } from "#base/errors.ts";
import type { ApiEnv } from "./channel.ts";
import { apiErrors } from "./errors.ts";

/** The least role that may; `open`: the route says itself who may use it. */
export type RouteRole = Role | "open";

interface Ruled {
  readonly "x-fairlead-role": RouteRole;
}

/** A documented route; it does not compile without its role. */
export function defineRoute<
  P extends string,
  R extends Omit<RouteConfig, "path"> & { path: P } & Ruled,
>(route: R) {
  return createRoute<P, R>(route);
}

/** `GET /v1/scopes/{scope}` */
export interface RoutedRole {
  readonly method: string;
  readonly path: string;
  readonly role: RouteRole | undefined;
}

function isRole(value: unknown): value is RouteRole {
  return value === "viewer" || value === "operator" || value === "admin" || value === "open";
}

/** Every documented route of an app with its role. */
function listRoles(app: OpenAPIHono<ApiEnv>): readonly RoutedRole[] {
  return app.openAPIRegistry.definitions.flatMap((one) => {
    if (one.type !== "route") return [];
    const role: unknown = one.route["x-fairlead-role"];
    const { method, path } = one.route;
    return [{ method: method.toUpperCase(), path, role: isRole(role) ? role : undefined }];
  });
}

/** The document of the API itself is a route without a definition. */
const UNDOCUMENTED: readonly RoutedRole[] = [
  { method: "GET", path: "/v1/openapi.json", role: "viewer" },
];

/** Lets through who has the role that the route takes. Stands behind the guard. Throws FL0521 `role-too-low`. */
export function createRoleCheck(app: OpenAPIHono<ApiEnv>): MiddlewareHandler<ApiEnv> {
  let table: ReadonlyMap<string, RouteRole | undefined> | undefined;
  return async (c, next) => {
    if (!c.req.path.startsWith("/v1")) return next();
    table ??= new Map(
      [...listRoles(app), ...UNDOCUMENTED].map(({ method, path, role }) => [
        `${method} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`,
        role,
      ]),
    );
    for (const { method, path } of matchedRoutes(c)) {
      if (method === "ALL") continue;
      const needs = table.get(`${method} ${path}`);
      if (needs === "open") continue;
      const who = c.get("who");
      c.set("needs", needs ?? "nobody");
      if (needs !== undefined && who !== undefined && isEnough(who.role, needs)) continue;
      throw new FairleadError(
        apiErrors["role-too-low"],
        `${who?.actor ?? "nobody"} may not: this takes the role ${needs ?? "of nobody"}`,
        {
          facts: {
            who: who?.actor ?? "nobody",
            has: who?.role ?? "no role",
            needs: needs ?? "nobody",
            request: `${c.req.method} ${c.req.path.slice(0, 200)}`,
          },
        },
      );
    }
    return next();
  };
}
