// SPDX-License-Identifier: Apache-2.0
// The page's way to the node: fetch on its own origin, with the cookie that the browser keeps.
import type { Decision, Plan } from "@fairlead/protocol/decision.ts";
import type { EffectRequest, EffectView, FlowList } from "@fairlead/protocol/flows.ts";
import type { ActionRequest } from "@fairlead/protocol/requests.ts";
import type {
  AgentList,
  DecisionList,
  LogLine,
  NetworkList,
  NodeList,
  PathList,
  ScopeList,
  ServiceList,
  SessionRequest,
  SessionView,
} from "@fairlead/protocol/routes.ts";
import type { NodeStatus, Problem, WhyAnswer } from "@fairlead/protocol/views.ts";

/** An answer that was a problem, or no answer: then `problem` is undefined. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly problem: Problem | undefined;

  constructor(message: string, problem?: Problem) {
    super(message);
    this.problem = problem;
  }
}

async function request<T>(path: string, init: RequestInit = {}): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...init });
  } catch {
    throw new RequestError("the node does not answer");
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return body as T;
  const problem = body as Problem | undefined;
  throw new RequestError(problem?.detail ?? `the node answered ${response.status}`, problem);
}

function sendJson<T>(method: string, path: string, body: unknown): Promise<T> {
  const headers = { "content-type": "application/json" };
  return request<T>(path, { method, headers, body: JSON.stringify(body) });
}

/** A query string of the fields that are not undefined. */
export function writeQuery(fields: Readonly<Record<string, string | number | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

export const readSession = (): Promise<SessionView> => request("/v1/session");
export const signIn = (secret: SessionRequest): Promise<SessionView> =>
  sendJson("POST", "/v1/session", secret);
export const signOut = (): Promise<SessionView> => request("/v1/session", { method: "DELETE" });
export const readStatus = (): Promise<NodeStatus> => request("/v1/status");
export const readServices = (): Promise<ServiceList> => request("/v1/services");
export const readNodes = (): Promise<NodeList> => request("/v1/nodes");
export const readScopes = (): Promise<ScopeList> => request("/v1/scopes");
export const readNetworks = (): Promise<NetworkList> => request("/v1/networks");
export const readPaths = (): Promise<PathList> => request("/v1/paths");
export const readAgents = (): Promise<AgentList> => request("/v1/agents");
export const readDecision = (id: string): Promise<Decision> =>
  request(`/v1/decisions/${encodeURIComponent(id)}`);
export const readDecisions = (
  filter: Readonly<Record<string, string | number | undefined>>,
): Promise<DecisionList> => request(`/v1/decisions${writeQuery(filter)}`);
export const readFlows = (
  filter: Readonly<Record<string, string | number | undefined>>,
): Promise<FlowList> => request(`/v1/flows${writeQuery(filter)}`);
export const tryPolicies = (body: EffectRequest): Promise<EffectView> =>
  sendJson("POST", "/v1/policies/effect", body);
export const readWhy = (object: string, scope: string): Promise<WhyAnswer> =>
  request(`/v1/why${writeQuery({ object, scope })}`);
export const act = (scope: string, action: ActionRequest): Promise<Plan> =>
  sendJson("POST", `/v1/scopes/${encodeURIComponent(scope)}/actions`, action);

function parseLogLine(line: string): LogLine {
  const parsed = JSON.parse(line) as LogLine | { problem: Problem };
  if ("problem" in parsed) throw new RequestError(parsed.problem.detail, parsed.problem);
  return parsed;
}

/** Log lines in batches as they arrive, until the signal aborts. */
export async function* followLogs(
  filter: { readonly scope: string; readonly name: string; readonly tail: number },
  signal: AbortSignal,
): AsyncGenerator<LogLine[]> {
  const response = await fetch(`/v1/logs${writeQuery({ ...filter, follow: "1" })}`, { signal });
  if (!response.ok || response.body === null) {
    const problem = (await response.json().catch(() => undefined)) as Problem | undefined;
    throw new RequestError(problem?.detail ?? `the node answered ${response.status}`, problem);
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    const lines = (rest + chunk.value).split("\n");
    rest = lines.pop() ?? "";
    if (lines.length > 0) yield lines.map(parseLogLine);
  }
}
