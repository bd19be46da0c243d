// SPDX-License-Identifier: Apache-2.0
// One service: its instances, what is wrong with its file, why it is as it is, its logs, what can be done.
import type { InstanceView, ServiceView, WhyAnswer } from "@fairlead/protocol/views.ts";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { ActionBar } from "./action-bar.tsx";
import { readWhy } from "./client.ts";
import { DecisionCard } from "./decision-card.tsx";
import { formatAge, formatPlace, formatPort, formatTime } from "./format.ts";
import type { Live } from "./live.ts";
import { LogPanel } from "./log-panel.tsx";
import { writeHash, type Route } from "./route.ts";
import { StateMark } from "./state-mark.tsx";
import { useNow } from "./use-now.ts";

function describeInstance(instance: InstanceView, nowMs: number): string {
  const { state, health, exitCode, oomKilled, startedAtMs, finishedAtMs } = instance;
  const parts = [state];
  if (state === "running" && health !== "none") parts.push(health);
  if (state !== "running" && exitCode !== undefined) parts.push(`exit code ${exitCode}`);
  if (oomKilled) parts.push("out of memory");
  const sinceMs = state === "running" ? startedAtMs : finishedAtMs;
  if (sinceMs !== undefined)
    parts.push(`since ${formatTime(sinceMs)} (${formatAge(sinceMs, nowMs)})`);
  return parts.join(", ");
}

function Instances({ service }: { service: ServiceView }): ReactNode {
  const nowMs = useNow();
  return (
    <section aria-label="Instances">
      <h3>Instances</h3>
      {service.instances.length === 0 ? <p className="muted">None.</p> : null}
      <ul className="instances">
        {service.instances.map((one) => (
          <li key={one.id}>
            <span className="mono">{one.name}</span>
            <span>{describeInstance(one, nowMs)}</span>
            <span className="muted small">
              {[
                ...Object.entries(one.addresses).map(
                  ([network, address]) => `${address} in ${network}`,
                ),
                ...one.ports.map(formatPort),
                ...(one.current ? [] : ["not the configuration wanted"]),
                ...(one.adopted ? ["adopted"] : []),
              ].join(" · ")}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Warnings({ service }: { service: ServiceView }): ReactNode {
  if (service.warnings.length === 0) return null;
  return (
    <section aria-label="Warnings">
      <h3>Warnings</h3>
      <ul className="warnings">
        {service.warnings.map((one) => (
          <li key={`${one.id}${one.message}${one.at?.line ?? ""}`}>
            {one.at === undefined ? null : <code>{formatPlace(one.at)} </code>}
            {one.message}
            {one.hint === undefined ? "" : `; ${one.hint}`}
            <span className="muted small"> {one.id}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Asks again when the service changes. */
function useWhy(service: ServiceView) {
  const [answer, setAnswer] = useState<WhyAnswer>();
  const [problem, setProblem] = useState<string>();
  const { scope, name, state, reason, healUsed } = service;
  useEffect(() => {
    let wanted = true;
    readWhy(`service/${name}`, scope).then(
      (why) => {
        if (!wanted) return;
        setAnswer(why);
        setProblem(undefined);
      },
      (thrown: unknown) => {
        if (wanted) setProblem(thrown instanceof Error ? thrown.message : String(thrown));
      },
    );
    return () => {
      wanted = false;
    };
  }, [scope, name, state, reason, healUsed]);
  return { answer, problem };
}

function Why({ service }: { service: ServiceView }): ReactNode {
  const { answer, problem } = useWhy(service);
  return (
    <section aria-label="Why">
      <h3>Why</h3>
      {problem === undefined ? null : <p role="alert">{problem}</p>}
      {answer === undefined ? null : (
        <>
          <p>{answer.summary}</p>
          {answer.next.map((text) => (
            <p key={text}>
              <span className="muted">next </span>
              {text}
            </p>
          ))}
          {answer.decisions.slice(0, 5).map((one, index) => (
            <DecisionCard key={one.id} decision={one} open={index === 0} />
          ))}
          <p>
            <a href={`#/decisions?service=${encodeURIComponent(service.name)}`}>
              All decisions of {service.name}
            </a>
          </p>
        </>
      )}
    </section>
  );
}

function Gone({ name }: { name: string }): ReactNode {
  return <p>There is no service {name} in this scope now. Its decisions are kept.</p>;
}

interface DrawerProps {
  readonly scope: string;
  readonly name: string;
  readonly service: ServiceView | undefined;
  readonly live: Live;
  readonly route: Route;
}

/** The panel beside the table. Escape closes it and gives the focus back to the row. */
export function ServiceDrawer({ scope, name, service, live, route }: DrawerProps): ReactNode {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  function close(): void {
    location.hash = writeHash(["services"], route.query);
    document.getElementById(`row-${scope}-${name}`)?.focus();
  }
  return (
    <aside
      className="drawer"
      aria-label={`Service ${name}`}
      onKeyDown={(event) => {
        if (event.key === "Escape" && !event.defaultPrevented) close();
      }}
    >
      <div className="drawer-head">
        <h2 tabIndex={-1} ref={heading}>
          {name} <span className="muted normal">{scope}</span>
        </h2>
        <button type="button" className="quiet" onClick={close}>
          Close
        </button>
      </div>
      {service === undefined ? (
        <Gone name={name} />
      ) : (
        <>
          <p className="summary">
            <StateMark state={service.state} />{" "}
            {service.reason === "" ? "as wanted" : service.reason}
          </p>
          <p className="muted small">
            <span className="mono">{service.image}</span>
            {service.at === undefined ? "" : ` · ${formatPlace(service.at)}`} · heal: {service.heal}
            {service.dependsOn.length === 0 ? "" : ` · depends on ${service.dependsOn.join(", ")}`}
          </p>
          <ActionBar service={service} live={live} />
          <Warnings service={service} />
          <Instances service={service} />
          <Why service={service} />
          <LogPanel scope={scope} service={name} />
        </>
      )}
    </aside>
  );
}
