// SPDX-License-Identifier: Apache-2.0
// What the node says, for itself and, where that is known, for the other nodes of its fleet.
import type { ScopeView } from "@fairlead/protocol/views.ts";
import { FairleadError } from "#base/errors.ts";
import type { Query } from "#cli/api-client.ts";
import type { Envelope } from "#cli/output.ts";
import type { Ground, Part } from "./part.ts";

const AUDIT_LINES = 500;
const SCOPES_MAX = 200;

function ask(file: string, path: string, query: Query = {}): Part {
  return {
    file: `${file}.json`,
    read: ({ context, signal }) => context.api.call("GET", path, { query, signal }),
  };
}

/** What is wanted of each scope. */
async function readIntents({ context, signal }: Ground): Promise<unknown> {
  const { items } = await context.api.call<Envelope<ScopeView>>("GET", "scopes", { signal });
  const named = items.filter(({ mode }) => mode === "manage").slice(0, SCOPES_MAX);
  return Promise.all(
    named.map(({ scope }) =>
      context.api.call("GET", `scopes/${encodeURIComponent(scope)}/intent`, { signal }),
    ),
  );
}

/** Which tokens there are; a node by itself has none. */
async function readTokens({ context, signal }: Ground): Promise<unknown> {
  try {
    return await context.api.call("GET", "tokens", { signal });
  } catch (thrown) {
    if (FairleadError.from(thrown).kind.slug === "no-fleet") return { items: [] };
    throw thrown;
  }
}

/** In the order of the bundle. */
export const NODE_PARTS: readonly Part[] = [
  ask("status", "status"),
  ask("nodes", "nodes"),
  ask("services", "scopes"),
  ask("ps", "instances"),
  { file: "intents.json", read: readIntents },
  {
    file: "decisions.json",
    read: ({ context, decisions, signal }) =>
      context.api.call("GET", "decisions", { query: { limit: decisions }, signal }),
  },
  ask("alerts", "alerts"),
  ask("networks", "networks"),
  ask("paths", "paths"),
  ask("agents", "agents"),
  ask("queues", "queues"),
  ask("policies", "policies"),
  { file: "tokens.json", read: readTokens },
  ask("audit", "audit", { limit: AUDIT_LINES }),
  ask("audit-verify", "audit/verification"),
];
