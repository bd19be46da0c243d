// SPDX-License-Identifier: Apache-2.0
// What the page knows. Undefined means unknown: it is shown as unknown, never as none.
import type { Role } from "@fairlead/protocol/access.ts";
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { NodeEvent, NodeStatus, ServiceView } from "@fairlead/protocol/views.ts";

/** Decisions kept in the page; older ones are read when asked for. */
const DECISIONS_MAX = 500;

export interface PageState {
  readonly phase: "starting" | "signed-out" | "ready";
  /** Why the sign-in did not work, in the node's words. */
  readonly signInProblem: string | undefined;
  /** Who is signed in; undefined while that is not known. */
  readonly session: { readonly actor: string; readonly role: Role } | undefined;
  /** away: the node does not answer; what is shown is as of `asOfMs`. */
  readonly connection: "connecting" | "live" | "away";
  readonly asOfMs: number | undefined;
  readonly status: NodeStatus | undefined;
  readonly services: readonly ServiceView[] | undefined;
  /** What did not answer when the list was made. */
  readonly missing: readonly string[];
  /** Newest first. */
  readonly decisions: readonly Decision[] | undefined;
}

export const STARTING: PageState = {
  phase: "starting",
  signInProblem: undefined,
  session: undefined,
  connection: "connecting",
  asOfMs: undefined,
  status: undefined,
  services: undefined,
  missing: [],
  decisions: undefined,
};

/** Why the one who is signed in may not run services; undefined when they may. */
export function explainReadOnly({ session }: PageState): string | undefined {
  if (session === undefined || session.role !== "viewer") return undefined;
  return "You are signed in as a viewer, who may look. Acts take the role operator, which an admin gives: fairlead user add NAME --role operator";
}

/** False while an empty list only means that the engine has not been read. */
export function isSeen({ status, services }: PageState): boolean {
  const read = status?.engine.reachable === true || status?.engine.asOfMs !== undefined;
  return read || (services ?? []).length > 0;
}

/** The same list with one service in its place. */
function putService(list: readonly ServiceView[], service: ServiceView): readonly ServiceView[] {
  const at = list.findIndex((one) => one.scope === service.scope && one.name === service.name);
  return at < 0 ? [...list, service] : list.with(at, service);
}

/** Decisions of two lists without doubles, newest first; the second list's are newer knowledge. */
export function mergeDecisions(
  known: readonly Decision[],
  fresh: readonly Decision[],
): readonly Decision[] {
  const byId = new Map([...known, ...fresh].map((one) => [one.id, one]));
  return [...byId.values()]
    .toSorted((one, other) => (one.id < other.id ? 1 : -1))
    .slice(0, DECISIONS_MAX);
}

function applyAlert(
  state: PageState,
  { alert, resolved }: Extract<NodeEvent, { kind: "alert" }>,
): PageState {
  if (state.status === undefined) return state;
  const others = state.status.alerts.filter((one) => one.id !== alert.id);
  const alerts = resolved ? others : [...others, alert];
  return { ...state, status: { ...state.status, alerts } };
}

/** The state after one event. */
export function applyEvent(state: PageState, event: NodeEvent): PageState {
  switch (event.kind) {
    case "service":
      return { ...state, services: putService(state.services ?? [], event.service) };
    case "decision":
      return { ...state, decisions: mergeDecisions(state.decisions ?? [], [event.decision]) };
    case "alert":
      return applyAlert(state, event);
    case "engine":
    case "lagged":
      return state;
  }
}

/** What a screen reader is told about a batch of events; empty when nothing is worth saying. */
export function describeEvents(events: readonly NodeEvent[]): string {
  const titles = events.flatMap((event) =>
    event.kind === "decision" && event.decision.outcome !== "pending" ? [event.decision.title] : [],
  );
  const alerts = events.flatMap((event) =>
    event.kind === "alert" && !event.resolved ? [`Alert: ${event.alert.message}`] : [],
  );
  const rest = titles.length > 2 ? [`and ${titles.length - 2} more decisions`] : [];
  return [...alerts, ...titles.slice(0, 2), ...rest].join(". ");
}
