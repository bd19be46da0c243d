// SPDX-License-Identifier: Apache-2.0
// Everything that was decided, newest first, filtered as the address says.
import type { Decision } from "@fairlead/protocol/decision.ts";
import { useEffect, useState, type ReactNode } from "react";
import { readDecision, readDecisions } from "./client.ts";
import { DecisionCard } from "./decision-card.tsx";
import { countOf, formatDay } from "./format.ts";
import { replaceQuery, type Route } from "./route.ts";
import { mergeDecisions, type PageState } from "./state.ts";
import { TextFilter } from "./text-filter.tsx";

const PAGE = 200;

interface Filter {
  readonly name: string;
  readonly label: string;
  readonly read: (decision: Decision) => string;
}

const FILTERS: readonly Filter[] = [
  { name: "service", label: "Service", read: (one) => one.service ?? "" },
  { name: "outcome", label: "Outcome", read: (one) => one.outcome },
  { name: "kind", label: "Kind", read: (one) => one.act },
];

function matches(decision: Decision, query: URLSearchParams): boolean {
  for (const { name, read } of FILTERS) {
    const wanted = query.get(name) ?? "";
    if (wanted !== "" && read(decision) !== wanted) return false;
  }
  const text = (query.get("q") ?? "").toLowerCase();
  if (text === "") return true;
  const { title, object, scope, id, actor, trigger, rule, result } = decision;
  const all = [
    title,
    object,
    scope,
    id,
    actor,
    trigger.detail,
    trigger.kind,
    rule.text,
    result ?? "",
  ];
  return all.some((part) => part.toLowerCase().includes(text));
}

function Choice({
  filter,
  decisions,
  route,
}: {
  filter: Filter;
  decisions: readonly Decision[];
  route: Route;
}): ReactNode {
  const value = route.query.get(filter.name) ?? "";
  const values = new Set([...decisions.map(filter.read), value]);
  values.delete("");
  return (
    <label>
      {filter.label}
      <select
        value={value}
        onChange={(event) => replaceQuery(route, filter.name, event.target.value)}
      >
        <option value="">all</option>
        {[...values].toSorted().map((one) => (
          <option key={one}>{one}</option>
        ))}
      </select>
    </label>
  );
}

function groupByDay(decisions: readonly Decision[]): [string, Decision[]][] {
  const days = new Map<string, Decision[]>();
  for (const one of decisions) {
    const day = formatDay(one.startedAtMs);
    days.set(day, [...(days.get(day) ?? []), one]);
  }
  return [...days];
}

function Timeline({ decisions }: { decisions: readonly Decision[] }): ReactNode {
  return groupByDay(decisions).map(([day, ofDay]) => (
    <section key={day} aria-label={day}>
      <h2 className="day">{day}</h2>
      {ofDay.map((one) => (
        <DecisionCard key={one.id} decision={one} />
      ))}
    </section>
  ));
}

/** One decision by its id, from the list or from the node. */
function useDecision(id: string, known: readonly Decision[] | undefined) {
  const listed = known?.find((one) => one.id === id);
  const [read, setRead] = useState<{ decision?: Decision; problem?: string }>({});
  const asked = listed === undefined && known !== undefined;
  useEffect(() => {
    if (!asked) return;
    readDecision(id).then(
      (decision) => setRead({ decision }),
      (thrown: unknown) =>
        setRead({ problem: thrown instanceof Error ? thrown.message : String(thrown) }),
    );
  }, [id, asked]);
  return listed === undefined ? read : { decision: listed };
}

function SingleDecision({ id, state }: { id: string; state: PageState }): ReactNode {
  const { decision, problem } = useDecision(id, state.decisions);
  return (
    <>
      <h1 tabIndex={-1}>{decision?.title ?? "Decision"}</h1>
      <p>
        <a href="#/decisions">All decisions</a>
        {decision?.service === undefined ? null : (
          <>
            {" · "}
            <a href={`#/decisions?service=${encodeURIComponent(decision.service)}`}>
              all of {decision.service}
            </a>
          </>
        )}
        <span className="muted"> · on a terminal: </span>
        <code>fairlead why {id}</code>
      </p>
      {problem === undefined ? null : (
        <p role="alert" className="banner">
          {problem}
        </p>
      )}
      {decision === undefined ? null : <DecisionCard key={decision.id} decision={decision} open />}
    </>
  );
}

/** Decisions older than the page keeps, read on demand. */
function useOlder(decisions: readonly Decision[]) {
  const [older, setOlder] = useState<readonly Decision[]>([]);
  const [ended, setEnded] = useState(false);
  const [problem, setProblem] = useState<string>();
  const all = older.length === 0 ? decisions : mergeDecisions(older, decisions);
  async function readMore(): Promise<void> {
    try {
      const { items } = await readDecisions({ limit: PAGE, before: all.at(-1)?.id });
      setOlder([...older, ...items]);
      setEnded(items.length < PAGE);
      setProblem(undefined);
    } catch (thrown) {
      setProblem(thrown instanceof Error ? thrown.message : String(thrown));
    }
  }
  return { all, ended, problem, readMore };
}

function DecisionList({
  decisions,
  route,
}: {
  decisions: readonly Decision[];
  route: Route;
}): ReactNode {
  const { all, ended, problem, readMore } = useOlder(decisions);
  const shown = all.filter((one) => matches(one, route.query));
  return (
    <>
      <div className="filters" role="search">
        <TextFilter hint="title, reason, rule, id …" route={route} />
        {FILTERS.map((filter) => (
          <Choice key={filter.name} filter={filter} decisions={all} route={route} />
        ))}
      </div>
      <p className="muted">
        {shown.length === all.length
          ? countOf(all.length, "decision")
          : `${shown.length} of ${countOf(all.length, "decision")}`}
      </p>
      {shown.length === 0 ? (
        <p>{all.length === 0 ? "Nothing had to be decided yet." : "No decision matches."}</p>
      ) : (
        <Timeline decisions={shown} />
      )}
      {problem === undefined ? null : <p role="alert">{problem}</p>}
      {ended || all.length < PAGE ? null : (
        <button type="button" onClick={() => void readMore()}>
          Read older ones
        </button>
      )}
    </>
  );
}

/** The third view. */
export function DecisionsView({ state, route }: { state: PageState; route: Route }): ReactNode {
  const id = route.path[1];
  if (id !== undefined) return <SingleDecision key={id} id={id} state={state} />;
  return (
    <>
      <h1 tabIndex={-1}>Decisions</h1>
      {state.decisions === undefined ? (
        <p className="muted">Not known yet.</p>
      ) : (
        <DecisionList decisions={state.decisions} route={route} />
      )}
    </>
  );
}
