// SPDX-License-Identifier: Apache-2.0
// Who was seen talking to whom, as a matrix of services, and what other policies would change for it.
import type { EffectView, FlowEnd, FlowView } from "@fairlead/protocol/flows.ts";
import { useState, type ReactNode } from "react";
import { readFlows, tryPolicies } from "./client.ts";
import { countOf } from "./format.ts";
import { replaceQuery, type Route } from "./route.ts";
import type { PageState } from "./state.ts";
import { usePolled } from "./use-polled.ts";

const OUTSIDE = "outside";

/** The worst verdict wins; the words stand beside the colours. */
const VERDICTS = ["dropped", "would-drop", "allowed"] as const;
const TONES = { dropped: "bad", "would-drop": "warn", allowed: "good" } as const;

/** What the matrix calls an end: services of the scope by name, others with their scope, all else is outside. */
function nameEnd({ scope, service }: FlowEnd, own: string): string {
  if (scope === undefined || service === undefined) return OUTSIDE;
  return scope === own ? service : `${scope}/${service}`;
}

function nameTarget({ to, port, protocol }: FlowView): string {
  const host = to.instance ?? (to.name === undefined ? to.address : `${to.name} (${to.address})`);
  return port === 0 ? `${host} ${protocol}` : `${host} ${port}/${protocol}`;
}

function namePlace({ policy, at }: Pick<FlowView, "policy" | "at">): string {
  if (policy === undefined) return "no policy isolates them";
  const line = at?.line === undefined ? "" : `:${at.line}`;
  return at === undefined ? policy : `${policy}, ${at.file}${line}`;
}

function Cell({ flows, title }: { flows: readonly FlowView[]; title: string }): ReactNode {
  const verdict = VERDICTS.find((one) => flows.some((flow) => flow.verdict === one));
  if (verdict === undefined) return <td className="quiet">–</td>;
  const ports = [...new Set(flows.map(({ port, protocol }) => port || protocol))];
  return (
    <td title={title} className={TONES[verdict]}>
      <span className="mark">{verdict}</span> {ports.join(", ")}
    </td>
  );
}

function Matrix({ scope, flows }: { scope: string; flows: readonly FlowView[] }): ReactNode {
  const ends = flows.flatMap(({ from, to }) => [nameEnd(from, scope), nameEnd(to, scope)]);
  const names = [...new Set(ends)].toSorted((a, b) =>
    a === OUTSIDE ? 1 : b === OUTSIDE ? -1 : a < b ? -1 : 1,
  );
  const groups = Map.groupBy(
    flows,
    ({ from, to }) => `${nameEnd(from, scope)} ${nameEnd(to, scope)}`,
  );
  return (
    <div className="scroll">
      <table className="list matrix">
        <caption className="unseen">Who was seen calling whom, callers in rows</caption>
        <thead>
          <tr>
            <th scope="col">from \ to</th>
            {names.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {names.map((from) => (
            <tr key={from}>
              <th scope="row">{from}</th>
              {names.map((to) => (
                <Cell
                  key={to}
                  flows={groups.get(`${from} ${to}`) ?? []}
                  title={`${from} to ${to}`}
                />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Effect({ view }: { view: EffectView }): ReactNode {
  const drops = view.effects.filter(({ verdict }) => verdict === "deny").length;
  return (
    <div role="status">
      <p>
        Of {countOf(view.judged, "flow")} seen, {drops} would be dropped,{" "}
        {view.effects.length - drops} would pass that do not now, {view.same} stay as they are.
      </p>
      <ul>
        {view.effects.map(({ flow, verdict, ...place }) => (
          <li
            key={`${flow.from.address} ${flow.to.address} ${flow.protocol} ${flow.port} ${flow.verdict}`}
          >
            <span className={verdict === "deny" ? "bad" : "good"}>
              <span className="mark">{verdict === "deny" ? "would drop" : "would pass"}</span>
            </span>{" "}
            {flow.from.instance ?? flow.from.address} to {nameTarget(flow)}: {namePlace(place)}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** A text of policies, and what it would change. */
function Candidate({ scope }: { scope: string }): ReactNode {
  const [text, setText] = useState("");
  const [view, setView] = useState<EffectView>();
  const [problem, setProblem] = useState("");
  async function judge(): Promise<void> {
    setProblem("");
    setView(undefined);
    try {
      setView(await tryPolicies({ policies: [], scopes: {}, text, scope }));
    } catch (thrown) {
      setProblem(thrown instanceof Error ? thrown.message : String(thrown));
    }
  }
  return (
    <section aria-labelledby="candidate">
      <h2 id="candidate">What would change</h2>
      <label className="candidate">
        Policies, as Kubernetes writes them
        <textarea
          rows={12}
          spellCheck={false}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </label>
      <button type="button" disabled={text.trim() === ""} onClick={() => void judge()}>
        Judge what was seen
      </button>
      {problem === "" ? undefined : (
        <p role="alert" className="bad">
          <span className="mark">{problem}</span>
        </p>
      )}
      {view === undefined ? undefined : <Effect view={view} />}
    </section>
  );
}

/** The view of policies of one scope. */
export function PoliciesView({ state, route }: { state: PageState; route: Route }): ReactNode {
  const scopes = [...new Set((state.services ?? []).map(({ scope }) => scope))].toSorted();
  const scope = route.query.get("scope") ?? scopes[0] ?? "";
  const of = scope === "" ? undefined : scope;
  const { answer, problem } = usePolled(of, () => readFlows({ scope }));
  const flows = answer?.items ?? [];
  const said = problem ?? (answer?.missing ?? []).join("; ");
  return (
    <>
      <h1 tabIndex={-1}>Policies</h1>
      <label>
        Scope
        <select
          value={scope}
          onChange={(event) => replaceQuery(route, "scope", event.target.value)}
        >
          {[...new Set([...scopes, scope])].map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      {said === "" ? undefined : (
        <p role="alert" className="warn">
          <span className="mark">{said}</span>
        </p>
      )}
      {flows.length === 0 ? (
        <p>
          Nothing was seen. A scope with policies is looked at, and one that is watched:{" "}
          <code>fairlead policy mode watch --scope {scope}</code>
        </p>
      ) : (
        <Matrix scope={scope} flows={flows} />
      )}
      <Candidate scope={scope} />
    </>
  );
}
