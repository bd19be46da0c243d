// SPDX-License-Identifier: Apache-2.0
// What is wrong with networks that span hosts, and with the ways between the hosts.
import type { NetworkView, PathView } from "@fairlead/protocol/network.ts";
import type { ErrorKind } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { doctorErrors } from "#cli/errors.ts";
import { complain, pass, type Finding } from "./check.ts";
import type { Report } from "./render-doctor.ts";

function checkPath({ from, to, mtu, ceiling = 0, blackHole, address }: PathView): Finding {
  const way = `${from} -> ${to}`;
  if (mtu === undefined)
    return complain("warn", doctorErrors["path-unanswered"], way, [
      `${address} has not answered yet`,
    ]);
  if (!blackHole) return pass(`${way} ${mtu} bytes`);
  return complain("fail", doctorErrors["path-black-hole"], way, [
    `packets of up to ${mtu} bytes arrive at ${address}, larger ones vanish`,
    `the kernel of ${from} sends up to ${ceiling} bytes there, and no router has told it otherwise`,
  ]);
}

function checkNetwork(view: NetworkView): Finding {
  const { name, state, problem, refused, hosts, mtu, encrypted } = view;
  if (problem !== undefined || state === "broken")
    return complain("fail", doctorErrors["network-broken"], name, [problem ?? state]);
  if (refused.length > 0)
    return complain(
      "warn",
      doctorErrors["network-disbelieved"],
      name,
      refused.map(({ host, addresses, why }) => `${addresses.join(" ")} on ${host}: ${why}`),
    );
  const silent = hosts.filter(({ tunnel }) => tunnel?.silent === true);
  if (silent.length > 0)
    return complain(
      "fail",
      doctorErrors["network-no-key"],
      name,
      silent.map(({ name: host }) => `${host} was asked for a key for packets, and never answered`),
    );
  const how = encrypted ? ", encrypted" : "";
  const why = view.shortcut?.why;
  const way = why === undefined ? "" : `, over the bridge: ${why}`;
  return pass(`${name} ${state}, ${hosts.length} hosts, ${mtu} bytes${how}${way}`);
}

function report(group: Report["group"], name: string, finding: Finding): Report {
  const { kind, factObjects: _, ...rest } = finding;
  const advise = ({ id, slug, cause, remedy }: ErrorKind) => ({ id, slug, so: cause, try: remedy });
  return { group, name, ...rest, ...(kind === undefined ? {} : advise(kind)) };
}

/** Groups of reports of `checkOverlays`. */
export const OVERLAY_GROUPS: readonly string[] = ["network", "path"] satisfies Report["group"][];

/** What the node says of its networks that span hosts. Throws what it says. */
export async function askOverlays({ api }: Pick<Context, "api">): Promise<{
  readonly reports: readonly Report[];
  readonly missing: readonly string[];
}> {
  const [networks, paths] = await Promise.all([
    api.list<NetworkView>("networks"),
    api.list<PathView>("paths"),
  ]);
  return { reports: checkOverlays(networks.items, paths.items), missing: networks.missing };
}

/** One report for each network and each path. */
export function checkOverlays(
  networks: readonly NetworkView[],
  paths: readonly PathView[],
): readonly Report[] {
  return [
    ...networks.map((view) => report("network", view.name, checkNetwork(view))),
    ...paths.map((path) => report("path", path.to, checkPath(path))),
  ];
}
