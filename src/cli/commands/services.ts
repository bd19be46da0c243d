// SPDX-License-Identifier: Apache-2.0
import type { ServiceView } from "@fairlead/protocol/views.ts";
import type { Context } from "#cli/context.ts";
import { findScope } from "#cli/find-scope.ts";
import { formatPorts } from "#cli/format.ts";
import { listInScope } from "#cli/list-in-scope.ts";
import { keepNames } from "#cli/name-cache.ts";
import type { ListView } from "#cli/output.ts";
import { formatLocation } from "#cli/print-error.ts";
import { printServiceWarnings } from "#cli/service-warnings.ts";
import { toneOfService } from "#cli/style.ts";
import type { Column } from "#cli/table.ts";
import { showOrWatch } from "#cli/watch.ts";

/** The address of a service that has one, behind which its instances are. */
const ADDRESS: Column<ServiceView> = {
  key: "addresses",
  title: "ADDRESS",
  value: (item) => item.addresses?.join(", ") ?? "",
};

const describeList = (hasAddresses: boolean): ListView<ServiceView> => ({
  name: (item) => item.name,
  empty: "no services; `fairlead up` starts a project, -A shows all scopes",
  columns: [
    { key: "scope", title: "SCOPE", value: (item) => item.scope, wide: true, tellsApart: true },
    { key: "name", title: "NAME", value: (item) => item.name },
    {
      key: "state",
      title: "STATE",
      value: (item) => item.state,
      tone: (item) => toneOfService(item.state),
    },
    { key: "running", title: "RUNNING", value: (item) => `${item.running}/${item.wanted}` },
    {
      key: "healthy",
      title: "HEALTHY",
      value: (item) => `${item.healthy}/${item.wanted}`,
      wide: true,
    },
    { key: "image", title: "IMAGE", value: (item) => item.image },
    ...(hasAddresses ? [ADDRESS] : []),
    { key: "ports", title: "PORTS", value: (item) => formatPorts(item.ports) },
    { key: "heal", title: "HEAL", value: (item) => item.heal, wide: true },
    { key: "acts", title: "ACTS", value: (item) => `${item.healUsed}/${item.healMax}`, wide: true },
    { key: "mode", title: "MODE", value: (item) => item.mode, wide: true },
    {
      key: "at",
      title: "AT",
      value: (item) =>
        item.at === undefined ? "" : formatLocation({ file: item.at.file, line: item.at.line }),
      wide: true,
    },
    { key: "reason", title: "WHY", value: (item) => item.reason },
  ],
});

/** `fairlead services` */
export async function run(context: Context): Promise<number> {
  const scope = findScope(context);
  return showOrWatch(context, scope, async () => {
    const services = await listInScope<ServiceView>(context, "services", scope);
    await context.out.list(
      services,
      describeList(services.items.some(({ addresses }) => addresses !== undefined)),
    );
    keepNames(context, scope, services.items);
    if (context.out.forPeople) printServiceWarnings(context.out, services.items);
  });
}
