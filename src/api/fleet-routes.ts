// SPDX-License-Identifier: Apache-2.0
// The fleet: who may join it, and what becomes of its nodes.
import type { IdentityView } from "@fairlead/protocol/identity.ts";
import { RotationAnswer } from "@fairlead/protocol/network.ts";
import {
  HostCleared,
  NodeActionRequest,
  NodeFarewell,
  NodeRecord,
} from "@fairlead/protocol/node.ts";
import { Reason } from "@fairlead/protocol/requests.ts";
import { IdentityList, TokenList } from "@fairlead/protocol/routes.ts";
import { CreatedToken, TokenRequest, TokenView } from "@fairlead/protocol/tokens.ts";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import type { AskedBy } from "#control/topologies.ts";
import { readJsonBody } from "./body.ts";
import type { ApiContext, ApiEnv } from "./channel.ts";
import { createCaller, type ApiParts } from "./parts.ts";
import { defineRoute } from "./roles.ts";
import { acceptJson, describeJson, given, PROBLEM, wrapList } from "./route-parts.ts";

const query = z.strictObject({ reason: Reason.optional() });
const nodeParams = z.strictObject({ node: z.string().min(1).max(63) });
const holderParams = z.strictObject({ holder: z.string().min(1).max(300) });
const holderQuery = z.strictObject({
  scope: z.string().max(300).optional(),
  reason: Reason.optional(),
});
const listQuery = z.strictObject({ revoked: z.stringbool().optional() });
const tokenParams = z.strictObject({ id: z.string().min(1).max(63) });

function askedBy(c: ApiContext, parts: ApiParts, reason: string | undefined): AskedBy {
  return { actor: createCaller(c, parts).actor, ...given({ reason }) };
}

function addTokenRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { fleet } = parts;
  const listRoute = defineRoute({
    method: "get",
    path: "/v1/tokens",
    "x-fairlead-role": "admin",
    summary: "Tokens with which hosts may join the fleet, without their secrets",
    responses: { 200: describeJson("The tokens, newest first", TokenList), default: PROBLEM },
  });
  const createTokenRoute = defineRoute({
    method: "post",
    path: "/v1/tokens",
    "x-fairlead-role": "admin",
    summary: "Make a token with which hosts may join the fleet; it is shown this once",
    middleware: readJsonBody(parts),
    request: { body: acceptJson(TokenRequest) },
    responses: { 200: describeJson("The token", CreatedToken), default: PROBLEM },
  });
  const revokeRoute = defineRoute({
    method: "delete",
    path: "/v1/tokens/{id}",
    "x-fairlead-role": "admin",
    summary: "Take a token back",
    request: { params: tokenParams, query },
    responses: { 200: describeJson("The token as it is now", TokenView), default: PROBLEM },
  });
  app.openapi(listRoute, async (c) => {
    const answer = { items: await fleet.listTokens(), asOfMs: parts.clock.nowMs(), missing: [] };
    return c.json(wrapList("TokenList", answer), 200);
  });
  app.openapi(createTokenRoute, async (c) => {
    const { reason, ...request } = c.req.valid("json");
    return c.json(await fleet.createToken(request, askedBy(c, parts, reason)), 200);
  });
  app.openapi(revokeRoute, async (c) => {
    const by = askedBy(c, parts, c.req.valid("query").reason);
    return c.json(await fleet.revokeToken(c.req.valid("param").id, by), 200);
  });
}

function addNodeRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { fleet } = parts;
  const markRoute = defineRoute({
    method: "post",
    path: "/v1/nodes/{node}/actions",
    "x-fairlead-role": "operator",
    summary: "Say whether anything new may be placed on a node, and whether what is there shall go",
    middleware: readJsonBody(parts),
    request: { params: nodeParams, body: acceptJson(NodeActionRequest) },
    responses: { 200: describeJson("The node's entry as it is now", NodeRecord), default: PROBLEM },
  });
  const removeRoute = defineRoute({
    method: "delete",
    path: "/v1/nodes/{node}",
    "x-fairlead-role": "admin",
    summary: "Take a node that is gone for good off the fleet's roll",
    request: { params: nodeParams, query },
    responses: { 200: describeJson("What is kept of it", NodeFarewell), default: PROBLEM },
  });
  const leaveRoute = defineRoute({
    method: "post",
    path: "/v1/fleet/leave",
    "x-fairlead-role": "admin",
    summary: "Let the node that is asked leave its fleet; its settings still name it",
    request: { query },
    responses: { 200: describeJson("What is kept of it", NodeFarewell), default: PROBLEM },
  });
  const clearRoute = defineRoute({
    method: "post",
    path: "/v1/host/clear",
    "x-fairlead-role": "admin",
    summary:
      "Remove the devices and packet rules that the node has made on its host; it must belong to no fleet and manage no scope",
    request: { query },
    responses: { 200: describeJson("What was there", HostCleared), default: PROBLEM },
  });
  app.openapi(clearRoute, async (c) => {
    const by = askedBy(c, parts, c.req.valid("query").reason);
    return c.json(await parts.host.clear(by), 200);
  });
  app.openapi(markRoute, async (c) => {
    const { action, reason } = c.req.valid("json");
    const { node } = c.req.valid("param");
    return c.json(await fleet.mark(node, action, askedBy(c, parts, reason)), 200);
  });
  app.openapi(removeRoute, async (c) => {
    const by = askedBy(c, parts, c.req.valid("query").reason);
    return c.json(await fleet.remove(c.req.valid("param").node, by), 200);
  });
  app.openapi(leaveRoute, async (c) => {
    const by = askedBy(c, parts, c.req.valid("query").reason);
    return c.json(await fleet.leave(by), 200);
  });
}

function addNetworkRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const rotateRoute = defineRoute({
    method: "post",
    path: "/v1/networks/rotate",
    "x-fairlead-role": "admin",
    summary: "Let all hosts change the keys by which networks between them are encrypted",
    request: { query },
    responses: { 200: describeJson("How many change theirs", RotationAnswer), default: PROBLEM },
  });
  app.openapi(rotateRoute, async (c) => {
    const by = askedBy(c, parts, c.req.valid("query").reason);
    return c.json({ hosts: await parts.overlays.rotate(by) }, 200);
  });
}

function addIdentityRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  const { fleet, operations, clock } = parts;
  const answer = describeJson("Authorities, then nodes by name", IdentityList);
  const revoked = describeJson(
    "For a node what there is now; for containers what is believed no more",
    IdentityList,
  );
  const all = describeJson("Authorities, then nodes by name, then containers", IdentityList);
  const listRoute = defineRoute({
    method: "get",
    path: "/v1/identities",
    "x-fairlead-role": "viewer",
    summary:
      "Who signs for nodes and containers, and which certificates they have; with revoked=true those of containers that are believed no more",
    request: { query: listQuery },
    responses: { 200: all, default: PROBLEM },
  });
  const rotateRoute = defineRoute({
    method: "post",
    path: "/v1/identities/rotate",
    "x-fairlead-role": "admin",
    summary: "Let another authority sign for nodes and containers",
    request: { query },
    responses: { 200: answer, default: PROBLEM },
  });
  const revokeRoute = defineRoute({
    method: "delete",
    path: "/v1/identities/{holder}",
    "x-fairlead-role": "admin",
    summary:
      "Believe the certificates no more of a node, of a container or of a service's containers, whichever has that name first; who lives takes another",
    request: { params: holderParams, query: holderQuery },
    responses: { 200: revoked, default: PROBLEM },
  });
  const wrap = (items: readonly IdentityView[]) =>
    wrapList("IdentityList", { items, asOfMs: clock.nowMs(), missing: [] });
  app.openapi(listRoute, async (c) => {
    const caller = createCaller(c, parts);
    if (c.req.valid("query").revoked === true)
      return c.json(wrapList("IdentityList", await operations.revokedIdentities(caller)), 200);
    const held = await operations.identities(caller);
    const items = [...(await fleet.listIdentities()), ...held.items];
    return c.json(wrapList("IdentityList", { ...held, items }), 200);
  });
  app.openapi(rotateRoute, async (c) => {
    const by = askedBy(c, parts, c.req.valid("query").reason);
    return c.json(wrap(await fleet.rotateIdentities(by)), 200);
  });
  app.openapi(revokeRoute, async (c) => {
    const { scope, reason } = c.req.valid("query");
    const { holder } = c.req.valid("param");
    if (scope === undefined && fleet.hasNode(holder))
      return c.json(wrap(await fleet.revokeIdentity(holder, askedBy(c, parts, reason))), 200);
    const how = given({ scope, reason });
    return c.json(wrap(await operations.revokeIdentity(holder, how, createCaller(c, parts))), 200);
  });
}

/** Adds the routes about the fleet. */
export function addFleetRoutes(app: OpenAPIHono<ApiEnv>, parts: ApiParts): void {
  addTokenRoutes(app, parts);
  addNodeRoutes(app, parts);
  addNetworkRoutes(app, parts);
  addIdentityRoutes(app, parts);
}
