// SPDX-License-Identifier: Apache-2.0
// One decision with its whole explanation.
import type { Decision } from "@fairlead/protocol/decision.ts";
import { useState, type ReactNode } from "react";
import { formatDuration, formatPlace, formatTime, stripControls } from "./format.ts";
import { writeHash } from "./route.ts";
import { OutcomeMark } from "./state-mark.tsx";

function Inputs({ inputs }: { inputs: Decision["inputs"] }): ReactNode {
  const entries = Object.entries(inputs);
  if (entries.length === 0) return null;
  return (
    <>
      <dt>inputs</dt>
      <dd>
        <ul className="inputs">
          {entries.map(([name, value]) => (
            <li key={name}>
              <span className="muted">{name}</span> {String(value)}
            </li>
          ))}
        </ul>
      </dd>
    </>
  );
}

function Before({ before }: { before: NonNullable<Decision["before"]> }): ReactNode {
  const words = [
    before.state,
    ...(before.exitCode === undefined ? [] : [`exit code ${before.exitCode}`]),
    ...(before.oomKilled === true ? ["out of memory"] : []),
  ];
  const tail = before.logTail ?? [];
  return (
    <>
      <dt>before</dt>
      <dd>
        {words.join(", ")}
        {before.healthOutput === undefined ? null : (
          <>
            {"; health check said "}
            <q>{stripControls(before.healthOutput)}</q>
          </>
        )}
        {tail.length === 0 ? null : (
          <pre className="log" tabIndex={0} aria-label="Last log lines before the act">
            {tail.map(stripControls).join("\n")}
          </pre>
        )}
      </dd>
    </>
  );
}

function Facts({ decision }: { decision: Decision }): ReactNode {
  const { rule, budget, notDone, result, durationMs } = decision;
  return (
    <dl className="explanation">
      <dt>because</dt>
      <dd>{decision.trigger.detail}</dd>
      <dt>rule</dt>
      <dd>
        <code>{rule.text}</code>
        {rule.at === undefined ? null : <span className="place"> {formatPlace(rule.at)}</span>}
      </dd>
      <Inputs inputs={decision.inputs} />
      {decision.before === undefined ? null : <Before before={decision.before} />}
      {notDone.map(({ what, why }) => (
        <div key={what}>
          <dt>not done</dt>
          <dd>
            {what}: {why}
          </dd>
        </div>
      ))}
      <dt>result</dt>
      <dd>
        {result ?? (decision.outcome === "pending" ? "not known yet" : decision.outcome)}
        {durationMs === undefined ? null : (
          <span className="muted"> · took {formatDuration(durationMs)}</span>
        )}
      </dd>
      {budget === undefined ? null : (
        <>
          <dt>budget</dt>
          <dd>
            {budget.used} of {budget.max} acts in {formatDuration(budget.windowMs)}
          </dd>
        </>
      )}
      <dt>by</dt>
      <dd>
        {decision.actor}
        {decision.reason === undefined ? null : (
          <>
            {", who said "}
            <q>{stripControls(decision.reason)}</q>
          </>
        )}
        <span className="muted">
          {" "}
          · {decision.trigger.kind} · {decision.act} · {decision.object}
        </span>
      </dd>
    </dl>
  );
}

/** A card; closed it is one line, open it is the whole explanation. */
export function DecisionCard({
  decision,
  open = false,
}: {
  decision: Decision;
  open?: boolean;
}): ReactNode {
  const [isOpen, setOpen] = useState(open);
  const id = `facts-${decision.id}`;
  return (
    <article className="card" aria-label={decision.title}>
      <div className="card-head">
        <button
          type="button"
          className="disclose"
          aria-expanded={isOpen}
          aria-controls={id}
          onClick={() => setOpen(!isOpen)}
        >
          <svg viewBox="0 0 10 10" width="10" height="10" aria-hidden="true">
            <path d={isOpen ? "M1 3l4 4 4-4" : "M3 1l4 4-4 4"} className="line" />
          </svg>
          <time className="mono muted">{formatTime(decision.startedAtMs)}</time>
          <span className="card-title">{decision.title}</span>
        </button>
        <OutcomeMark outcome={decision.outcome} />
        <span className="muted card-scope">
          {decision.scope}
          {decision.service === undefined ? "" : `/${decision.service}`}
        </span>
        <a
          className="mono permalink"
          href={writeHash(["decisions", decision.id])}
          aria-label={`Link to decision ${decision.id}`}
        >
          {decision.id}
        </a>
      </div>
      {isOpen ? (
        <div id={id}>
          <Facts decision={decision} />
        </div>
      ) : (
        <p className="because muted">{decision.trigger.detail}</p>
      )}
    </article>
  );
}
