// SPDX-License-Identifier: Apache-2.0
// One sentence of health, and the evidence for it.
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { Alert, NodeStatus, ServiceView } from "@fairlead/protocol/views.ts";
import type { ReactNode } from "react";
import { countOf, formatAge, formatDuration, formatSize, formatTime } from "./format.ts";
import { writeHash } from "./route.ts";
import { HealthMark, isQuiet, OutcomeMark, StateMark } from "./state-mark.tsx";
import { isSeen, type PageState } from "./state.ts";
import { useNow } from "./use-now.ts";

const RECENT = 8;

interface Sentence {
  readonly tone: "good" | "warn" | "bad" | "off";
  readonly text: string;
}

/** What a person should know first. Unknown stays unknown. */
export function describeHealth(state: PageState): Sentence {
  const { status, services } = state;
  if (status === undefined || services === undefined)
    return { tone: "off", text: "Waiting for the node’s first answer." };
  if (!status.engine.reachable)
    return {
      tone: "bad",
      text: "The engine does not answer: how your services are is not known now.",
    };
  const managed = services.filter((one) => one.mode === "manage");
  const restless = managed.filter((one) => !isQuiet(one.state));
  const alerts = status.alerts.length;
  if (alerts > 0) {
    const need = alerts === 1 ? "1 thing needs" : `${alerts} things need`;
    return {
      tone: "bad",
      text: `${need} you. ${managed.length - restless.length} of ${countOf(managed.length, "service")} are as wanted.`,
    };
  }
  if (restless.length > 0) {
    const names = restless.slice(0, 3).map((one) => `${one.name} is ${one.state}`);
    const more = restless.length > 3 ? `, and ${restless.length - 3} more` : "";
    return { tone: "warn", text: `${names.join(", ")}${more}; nobody is needed so far.` };
  }
  if (services.length === 0)
    return { tone: "off", text: "No services yet. Start some with: fairlead up -f compose.yaml" };
  if (managed.length === 0)
    return {
      tone: "good",
      text: `Watching ${countOf(services.length, "service")}; none is managed.`,
    };
  const subject = managed.length === 1 ? "Your service is" : `All ${managed.length} services are`;
  return { tone: "good", text: `${subject} as wanted.` };
}

/** Counts of an engine that was never read are not none: they are unknown. */
function Watching({ status }: { status: NodeStatus }): ReactNode {
  const { engine, scopes, services, instances, unhealthy } = status;
  const known = engine.reachable || engine.asOfMs !== undefined;
  return (
    <div>
      <dt>Watching</dt>
      {known ? (
        <dd>
          <span>
            {countOf(services, "service")}, {countOf(instances, "instance")}
          </span>
          <span className="muted">
            {unhealthy} unhealthy · {countOf(scopes.managed, "scope")} managed, {scopes.observed}{" "}
            observed
          </span>
        </dd>
      ) : (
        <dd>
          <HealthMark good={undefined} word="unknown" />
          <span className="muted">the engine was not read yet</span>
        </dd>
      )}
    </div>
  );
}

function NodeFacts({ status, nowMs }: { status: NodeStatus; nowMs: number }): ReactNode {
  const { engine, store } = status;
  const engineWord = engine.reachable ? "answers" : "no answer";
  const seen =
    engine.asOfMs === undefined ? "never read" : `read ${formatAge(engine.asOfMs, nowMs)}`;
  return (
    <dl className="facts">
      <div>
        <dt>Engine</dt>
        <dd>
          <HealthMark good={engine.reachable} word={engineWord} />
          <span className="muted">
            {engine.version === undefined
              ? "version unknown"
              : `${engine.version}, API ${engine.apiVersion ?? "?"}`}{" "}
            · {seen}
          </span>
        </dd>
      </div>
      <div>
        <dt>Store</dt>
        <dd>
          <HealthMark good={store.writable} word={store.writable ? "writable" : "not writable"} />
          <span className="muted">{store.problem ?? formatSize(store.sizeBytes)}</span>
        </dd>
      </div>
      <Watching status={status} />
      <div>
        <dt>Node</dt>
        <dd>
          <span>
            {status.node} {status.version}
          </span>
          <span className="muted">
            up {formatDuration(nowMs - status.startedAtMs)} · you are {status.you}
          </span>
        </dd>
      </div>
    </dl>
  );
}

/** Where the reason of an alert is told; an alert of the node itself says all there is. */
function findReason({ decision, scope, service }: Alert): string | undefined {
  if (decision !== undefined) return writeHash(["decisions", decision]);
  return service === undefined ? undefined : writeHash(["services", scope, service]);
}

function AlertRow({ alert, nowMs }: { alert: Alert; nowMs: number }): ReactNode {
  const reason = findReason(alert);
  return (
    <li className="alert">
      <HealthMark good={false} word={alert.name} />
      <span className="grow">{alert.message}</span>
      <span className="muted nowrap">
        {alert.scope === "" ? "node" : alert.scope} · since {formatTime(alert.sinceMs)} (
        {formatAge(alert.sinceMs, nowMs)})
      </span>
      {reason === undefined ? null : (
        <a href={reason}>
          why<span className="unseen"> {alert.name}</span>
        </a>
      )}
    </li>
  );
}

function RestlessRow({ service }: { service: ServiceView }): ReactNode {
  return (
    <li>
      <StateMark state={service.state} />
      <a href={writeHash(["services", service.scope, service.name])}>{service.name}</a>
      <span className="muted">{service.scope}</span>
      <span className="grow">{service.reason}</span>
    </li>
  );
}

function DecisionRow({ decision, nowMs }: { decision: Decision; nowMs: number }): ReactNode {
  return (
    <li>
      <time className="muted mono" title={formatAge(decision.startedAtMs, nowMs)}>
        {formatTime(decision.startedAtMs)}
      </time>
      <OutcomeMark outcome={decision.outcome} />
      <a href={writeHash(["decisions", decision.id])}>{decision.title}</a>
      <span className="grow muted">{decision.trigger.detail}</span>
    </li>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }): ReactNode {
  return (
    <section aria-label={title} className="panel">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function Rows({
  empty,
  children,
}: {
  empty: string;
  children: readonly ReactNode[] | undefined;
}): ReactNode {
  if (children === undefined) return <p className="muted">Not known yet.</p>;
  if (children.length === 0) return <p className="muted">{empty}</p>;
  return <ul className="rows">{children}</ul>;
}

/** The first view. */
export function NowView({ state }: { state: PageState }): ReactNode {
  const nowMs = useNow();
  const { status, services, decisions } = state;
  const { tone, text } = describeHealth(state);
  const old = state.connection === "away" && state.asOfMs !== undefined;
  const seen = isSeen(state);
  const restless = seen ? services?.filter((one) => !isQuiet(one.state)) : undefined;
  const today = status === undefined ? "" : ` · ${status.decisionsToday} today`;
  return (
    <div className="now">
      <h1 tabIndex={-1} className={`health ${old ? "off" : tone}`}>
        {old ? <span className="muted">As of {formatTime(state.asOfMs ?? 0)}: </span> : null}
        {text}
      </h1>
      {status === undefined ? (
        <p className="muted">Nothing is known of the node yet.</p>
      ) : (
        <NodeFacts status={status} nowMs={nowMs} />
      )}
      <Section title="Alerts">
        <Rows empty="None. Nothing waits for a person.">
          {status?.alerts.map((alert) => (
            <AlertRow key={alert.id} alert={alert} nowMs={nowMs} />
          ))}
        </Rows>
      </Section>
      <Section title="Services that are not as wanted">
        <Rows empty="None.">
          {restless?.map((service) => (
            <RestlessRow key={`${service.scope}/${service.name}`} service={service} />
          ))}
        </Rows>
      </Section>
      <Section title={`Last decisions${today}`}>
        <Rows empty="None yet: nothing had to be done.">
          {decisions?.slice(0, RECENT).map((one) => (
            <DecisionRow key={one.id} decision={one} nowMs={nowMs} />
          ))}
        </Rows>
        <p>
          <a href="#/decisions">All decisions</a>
        </p>
      </Section>
    </div>
  );
}
