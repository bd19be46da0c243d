// SPDX-License-Identifier: Apache-2.0
import type { InstanceView, ServiceView } from "@fairlead/protocol/views.ts";
import { FairleadError } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { findScope } from "#cli/find-scope.ts";
import { formatAge, formatPorts } from "#cli/format.ts";
import { listInScope } from "#cli/list-in-scope.ts";
import { keepNames } from "#cli/name-cache.ts";
import type { ListView } from "#cli/output.ts";
import { makePrintable } from "#cli/printable.ts";
import { printServiceWarnings } from "#cli/service-warnings.ts";
import { toneOfInstance } from "#cli/style.ts";
import type { Column } from "#cli/table.ts";
import { showOrWatch } from "#cli/watch.ts";

const tone = (item: InstanceView) => toneOfInstance(item.state, item.health, item.exitCode);

function describeState(item: InstanceView): string {
  if (item.oomKilled) return `${item.state} (out of memory)`;
  return item.exitCode === undefined ? item.state : `${item.state} (${item.exitCode})`;
}

/** Where an instance is, once it can be elsewhere. */
const NODE: Column<InstanceView> = { key: "node", title: "NODE", value: (item) => item.node ?? "" };

function listInstances(nowMs: number, spans: boolean): ListView<InstanceView> {
  return {
    name: (item) => item.name,
    empty: "no instances; `fairlead up` starts a project, -A shows all scopes",
    columns: [
      { key: "scope", title: "SCOPE", value: (item) => item.scope, wide: true },
      { key: "name", title: "NAME", value: (item) => item.name },
      { key: "service", title: "SERVICE", value: (item) => item.service },
      ...(spans ? [NODE] : []),
      { key: "status", title: "STATE", value: describeState, tone },
      {
        key: "health",
        title: "HEALTH",
        value: (item) => (item.health === "none" ? "" : item.health),
        tone,
      },
      { key: "image", title: "IMAGE", value: (item) => item.image },
      {
        key: "age",
        title: "UP",
        value: (item) => (item.state === "running" ? formatAge(item.startedAtMs, nowMs) : ""),
      },
      { key: "ports", title: "PORTS", value: (item) => formatPorts(item.ports) },
      {
        key: "addresses",
        title: "ADDRESSES",
        value: (item) => Object.values(item.addresses).join(", "),
        wide: true,
      },
      { key: "id", title: "ID", value: (item) => item.id.slice(0, 12), wide: true },
      {
        key: "current",
        title: "CURRENT",
        value: (item) => (item.current ? "yes" : "no"),
        wide: true,
      },
      {
        key: "adopted",
        title: "ADOPTED",
        value: (item) => (item.adopted ? "yes" : "no"),
        wide: true,
      },
      { key: "state", title: "", value: (item) => item.state, hidden: true },
    ],
  };
}

/** A service of which nothing is there has no row: what it waits for is said all the same. */
function printMissing(
  { out }: Context,
  services: readonly ServiceView[],
  wanted: ReadonlySet<string>,
): void {
  for (const { instances, name, reason, state, wanted: count } of services) {
    if (count === 0 || instances.length > 0 || (wanted.size > 0 && !wanted.has(name))) continue;
    const why = reason === "" ? "" : `: ${makePrintable(reason)}`;
    out.warn(`${name}: ${out.noteStyle.paint(state, "warn")}, no instance${why}`);
  }
}

const looksWell = ({ state, health }: InstanceView): boolean =>
  state === "running" && health !== "unhealthy";

/** A service may be ill although nothing is seen of it in its rows: of its policies. */
function printHidden(
  { out }: Context,
  services: readonly ServiceView[],
  wanted: ReadonlySet<string>,
): void {
  for (const { instances, name, reason, state } of services) {
    if (state !== "degraded" || (wanted.size > 0 && !wanted.has(name))) continue;
    if (instances.length > 0 && instances.every(looksWell))
      out.warn(`${name}: ${out.noteStyle.paint(state, "warn")}: ${makePrintable(reason)}`);
  }
}

/** Throws FL0622 for a name that neither an instance nor a service has. */
function checkNames(
  wanted: ReadonlySet<string>,
  instances: readonly InstanceView[],
  services: readonly ServiceView[],
): void {
  const known = new Set([
    ...instances.flatMap(({ service, name }) => [service, name]),
    ...services.map(({ name }) => name),
  ]);
  for (const name of wanted) {
    if (known.has(name)) continue;
    const nearest = findNearest(name, known);
    throw new FairleadError(
      cliErrors["no-such-name"],
      `there is no instance or service called "${name}"`,
      nearest === undefined ? {} : { remedy: `did you mean "${nearest}"?` },
    );
  }
}

/** `fairlead ps` */
export async function run(context: Context): Promise<number> {
  const scope = findScope(context);
  const wanted = new Set(context.parsed.arguments);
  const { forPeople } = context.out;
  return showOrWatch(context, scope, async () => {
    const [instances, services] = await Promise.all([
      listInScope<InstanceView>(context, "instances", scope),
      forPeople || wanted.size > 0
        ? listInScope<ServiceView>(context, "services", scope)
        : undefined,
    ]);
    checkNames(wanted, instances.items, services?.items ?? []);
    const items = instances.items.filter(
      (item) => wanted.size === 0 || wanted.has(item.service) || wanted.has(item.name),
    );
    const spans = instances.items.some((item) => item.node !== undefined);
    await context.out.list({ ...instances, items }, listInstances(Date.now(), spans));
    if (services !== undefined) keepNames(context, scope, services.items);
    if (!forPeople) return;
    printServiceWarnings(context.out, services?.items ?? []);
    printMissing(context, services?.items ?? [], wanted);
    printHidden(context, services?.items ?? [], wanted);
  });
}
