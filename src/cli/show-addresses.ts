// SPDX-License-Identifier: Apache-2.0
// Addresses of services beside the networks that span hosts: one table for all, and one service with who is behind it.
import type { InstanceView, ServiceView } from "@fairlead/protocol/views.ts";
import type { Context } from "#cli/context.ts";
import { type ListView, wrapItems } from "#cli/output.ts";
import { toneOfService } from "#cli/style.ts";

const LIST: ListView<ServiceView> = {
  name: ({ scope, name }) => `${scope}/${name}`,
  empty: "",
  columns: [
    { key: "service", title: "SERVICE", value: ({ scope, name }) => `${scope}/${name}` },
    {
      key: "state",
      title: "STATE",
      value: ({ state }) => state,
      tone: (one) => toneOfService(one.state),
    },
    { key: "address", title: "ADDRESS", value: ({ addresses = [] }) => addresses.join(" ") },
    { key: "running", title: "RUNNING", value: ({ running, wanted }) => `${running}/${wanted}` },
    { key: "why", title: "WHY", value: ({ reason }) => reason },
  ],
};

/** Services that have an address of their own, of all scopes. */
export async function listAddressed(context: Context): Promise<readonly ServiceView[]> {
  const { items } = await context.api.list<ServiceView>("services");
  return items.filter(({ addresses = [] }) => addresses.length > 0);
}

/** Shows them to people, below what else is shown; programs ask for services. */
export async function showAddresses(context: Context): Promise<void> {
  const { out } = context;
  if (!out.forPeople || out.quiet) return;
  const items = await listAddressed(context);
  if (items.length === 0) return;
  out.line("");
  await out.list(wrapItems("ServiceList", items), LIST);
}

/** What becomes of a new connection. */
function judge({ leaving, state, health }: InstanceView): string {
  if (leaving === true) return "leaving: gets no new connections";
  if (state !== "running") return `${state}: gets none`;
  if (health === "unhealthy" || health === "starting") return `${health}: gets none`;
  return "takes connections";
}

function describe({
  scope,
  name,
  addresses = [],
  state,
  instances,
  ...rest
}: ServiceView): string[] {
  const width = (of: (one: InstanceView) => string): number =>
    Math.max(0, ...instances.map((one) => of(one).length));
  const [nameWidth, nodeWidth] = [width((one) => one.name), width(({ node = "" }) => node)];
  return [
    `${scope}/${name}   ${state}${rest.reason === "" ? "" : `: ${rest.reason}`}`,
    `addresses  ${addresses.join(" ")}`,
    `name       address.${name}.${scope}.fairlead.internal`,
    "instances",
    ...instances.map((one) =>
      [
        " ",
        one.name.padEnd(nameWidth),
        ...(nodeWidth === 0 ? [] : [(one.node ?? "").padEnd(nodeWidth)]),
        [...Object.values(one.addresses), ...Object.values(one.addresses6 ?? {})].join(" "),
        judge(one),
      ].join("  "),
    ),
  ];
}

/** Shows the address of a service, `web` or `shop/web`; false when none is called so, or several are. */
export async function inspectAddress(context: Context, asked: string): Promise<boolean> {
  const found = (await listAddressed(context)).filter(
    ({ scope, name }) => asked === name || asked === `${scope}/${name}`,
  );
  const [service] = found;
  if (service === undefined || found.length > 1) return false;
  await context.out.document(service, {
    kind: "Service",
    name: ({ scope, name }) => `${scope}/${name}`,
    text: describe,
  });
  return true;
}
