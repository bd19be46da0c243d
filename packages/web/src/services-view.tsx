// SPDX-License-Identifier: Apache-2.0
// All services by scope, and beside them the one that the address names.
import type { ServiceView } from "@fairlead/protocol/views.ts";
import type { ReactNode } from "react";
import { countOf, formatPort } from "./format.ts";
import type { Live } from "./live.ts";
import { replaceQuery, writeHash, type Route } from "./route.ts";
import { ServiceDrawer } from "./service-drawer.tsx";
import { isQuiet, StateMark } from "./state-mark.tsx";
import { isSeen, type PageState } from "./state.ts";
import { TableHead } from "./table-head.tsx";
import { TextFilter } from "./text-filter.tsx";

function matches(service: ServiceView, query: URLSearchParams): boolean {
  if (query.get("only") === "restless" && isQuiet(service.state)) return false;
  const text = (query.get("q") ?? "").toLowerCase();
  const all = [service.name, service.scope, service.state, service.reason, service.image];
  return text === "" || all.some((part) => part.toLowerCase().includes(text));
}

function groupByScope(services: readonly ServiceView[]): [string, ServiceView[]][] {
  const scopes = new Map<string, ServiceView[]>();
  for (const one of services) scopes.set(one.scope, [...(scopes.get(one.scope) ?? []), one]);
  return [...scopes].toSorted(([one], [other]) => (one < other ? -1 : 1));
}

/** Used acts of the ladder, as words and as a bar. */
function Budget({ service }: { service: ServiceView }): ReactNode {
  if (service.mode === "observe") return <span className="muted">observed only</span>;
  return (
    <span className="budget">
      <span className="bar" aria-hidden="true">
        {Array.from({ length: Math.min(service.healMax, 8) }, (_, index) => (
          <i key={index} className={index < service.healUsed ? "used" : ""} />
        ))}
      </span>
      {service.healUsed} of {service.healMax}
    </span>
  );
}

function ServiceRow({ service, route }: { service: ServiceView; route: Route }): ReactNode {
  const target = writeHash(["services", service.scope, service.name], route.query);
  const open = route.path[1] === service.scope && route.path[2] === service.name;
  return (
    <tr className={open ? "open" : ""}>
      <th scope="row">
        <a
          href={target}
          aria-current={open ? "true" : undefined}
          id={`row-${service.scope}-${service.name}`}
        >
          {service.name}
        </a>
        {service.warnings.length === 0 ? null : (
          <span className="tag warn">{countOf(service.warnings.length, "warning")}</span>
        )}
      </th>
      <td data-label="State">
        <StateMark state={service.state} />
      </td>
      <td data-label="Instances" className="nowrap">
        {service.running} of {service.wanted} running, {service.healthy} healthy
      </td>
      <td data-label="Ports" className="mono small">
        {service.ports.length === 0 ? (
          <span className="muted">none</span>
        ) : (
          service.ports.map(formatPort).join(", ")
        )}
      </td>
      <td data-label="Acts used" className="nowrap">
        <Budget service={service} />
      </td>
      <td data-label="Reason" className="reason">
        {service.reason === "" ? <span className="muted">as wanted</span> : service.reason}
      </td>
    </tr>
  );
}

function ScopeTable({
  scope,
  services,
  route,
}: {
  scope: string;
  services: readonly ServiceView[];
  route: Route;
}): ReactNode {
  const mode = services.some((one) => one.mode === "manage") ? "managed" : "observed";
  return (
    <section aria-label={`Scope ${scope}`} className="panel">
      <h2>
        {scope}{" "}
        <span className="muted normal">
          {mode} · {countOf(services.length, "service")}
        </span>
      </h2>
      <table>
        <TableHead titles={["Service", "State", "Instances", "Ports", "Acts used", "Reason"]} />
        <tbody>
          {services.map((service) => (
            <ServiceRow key={service.name} service={service} route={route} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Filters({ route }: { route: Route }): ReactNode {
  return (
    <div className="filters" role="search">
      <TextFilter hint="name, state, reason …" route={route} />
      <label className="check">
        <input
          type="checkbox"
          checked={route.query.get("only") === "restless"}
          onChange={(event) => replaceQuery(route, "only", event.target.checked ? "restless" : "")}
        />
        only those not as wanted
      </label>
    </div>
  );
}

/** The second view. */
export function ServicesView({
  state,
  live,
  route,
}: {
  state: PageState;
  live: Live;
  route: Route;
}): ReactNode {
  const services = isSeen(state) ? state.services : undefined;
  const [, scope, name] = route.path;
  const chosen = services?.find((one) => one.scope === scope && one.name === name);
  const shown = services?.filter((one) => matches(one, route.query));
  return (
    <div className={name === undefined ? "" : "with-drawer"}>
      <div className="list">
        <h1 tabIndex={-1}>Services</h1>
        <Filters route={route} />
        {shown === undefined ? <p className="muted">Not known yet.</p> : null}
        {shown?.length === 0 ? (
          <p>
            {services?.length === 0 ? (
              <>
                No services yet. Start some with <code>fairlead up -f compose.yaml</code>
              </>
            ) : (
              "No service matches."
            )}
          </p>
        ) : null}
        {groupByScope(shown ?? []).map(([one, ofScope]) => (
          <ScopeTable key={one} scope={one} services={ofScope} route={route} />
        ))}
      </div>
      {scope === undefined || name === undefined || services === undefined ? null : (
        <ServiceDrawer
          key={`${scope}/${name}`}
          scope={scope}
          name={name}
          service={chosen}
          live={live}
          route={route}
        />
      )}
    </div>
  );
}
