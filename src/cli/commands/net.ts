// SPDX-License-Identifier: Apache-2.0
import type {
  NetworkHost,
  NetworkShortcut,
  NetworkView,
  RotationAnswer,
} from "@fairlead/protocol/network.ts";
import { FairleadError } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import type { Context } from "#cli/context.ts";
import { askOverlays } from "#cli/doctor/overlay-checks.ts";
import { showReports } from "#cli/doctor/show-reports.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { formatAge, formatCount } from "#cli/format.ts";
import type { ListView } from "#cli/output.ts";
import { readReason } from "#cli/send-action.ts";
import { inspectAddress, listAddressed, showAddresses } from "#cli/show-addresses.ts";

const TONES = { joined: "good", elsewhere: "dim", broken: "bad" } as const;

function countInstances({ hosts }: NetworkView): number {
  return hosts.reduce((sum, { instances }) => sum + instances.length, 0);
}

const LIST: ListView<NetworkView> = {
  name: (item) => item.name,
  empty: "there are no networks that span hosts; `driver: vxlan` in a Compose file makes one",
  columns: [
    { key: "name", title: "NETWORK", value: (item) => item.name },
    {
      key: "state",
      title: "STATE",
      value: (item) => item.state,
      tone: (item) => TONES[item.state],
    },
    { key: "hosts", title: "HOSTS", value: ({ hosts }) => String(hosts.length) },
    { key: "instances", title: "INSTANCES", value: (item) => String(countInstances(item)) },
    { key: "mtu", title: "MTU", value: ({ mtu }) => String(mtu) },
    { key: "encrypted", title: "ENCRYPTED", value: ({ encrypted }) => (encrypted ? "yes" : "no") },
    { key: "subnets", title: "SUBNETS", value: ({ subnets }) => subnets.join(" ") },
    { key: "vni", title: "VNI", value: ({ vni }) => String(vni), wide: true },
    { key: "port", title: "PORT", value: ({ port }) => `${port}/udp`, wide: true },
    { key: "device", title: "DEVICE", value: ({ device }) => device ?? "", wide: true },
    {
      key: "why",
      title: "WHY",
      value: ({ problem, refused }) =>
        problem ?? (refused.length === 0 ? "" : `${refused.length} addresses not believed`),
    },
  ],
};

/** A public key as people compare it. */
const shorten = (publicKey: string): string => `${publicKey.slice(0, 8)}…`;

function describeTunnel({ self, tunnel }: NetworkHost, nowMs: number): string {
  if (tunnel === undefined) return "   no key: nothing is sent there";
  const { publicKey, madeAtMs, agreedAtMs, silent, way } = tunnel;
  const key = `   key ${shorten(publicKey)}, ${formatAge(madeAtMs, nowMs)} old`;
  if (self) return `${key}, encrypts by ${way ?? "none"}`;
  if (silent) return `${key}, never answered`;
  if (agreedAtMs === undefined) return `${key}, nothing was sent there yet`;
  return `${key}, agreed ${formatAge(agreedAtMs, nowMs)} ago`;
}

function describeShortcut({ instances, why }: NetworkShortcut): string {
  if (why !== undefined) return `none, packets go over the bridge: ${why}`;
  return `past the bridge for ${formatCount(instances, "instance")}`;
}

function describeNetwork(view: NetworkView, nowMs: number): string[] {
  const { name, vni, port, mtu, subnets, state, problem, device, bridge, hosts, refused } = view;
  const { encrypted, shortcut } = view;
  const here = device === undefined ? [] : [`here       ${device} on bridge ${bridge ?? ""}`];
  const way = shortcut === undefined ? [] : [`shortcut   ${describeShortcut(shortcut)}`];
  const width = Math.max(0, ...hosts.map((host) => host.name.length));
  return [
    `${name}   ${state}${problem === undefined ? "" : `: ${problem}`}`,
    `subnets    ${subnets.join(" ")}`,
    `packets    up to ${mtu} bytes, in VXLAN ${vni} over ${port}/udp`,
    `encrypted  ${encrypted ? "yes, by WireGuard between the hosts" : "no"}`,
    ...here,
    ...way,
    `hosts`,
    ...hosts.flatMap((host) => [
      `  ${host.name.padEnd(width)}  ${host.ranges.join(" ")}${host.self ? "   (this)" : ""}${encrypted ? describeTunnel(host, nowMs) : ""}`,
      ...host.instances.map(
        ({ mac, addresses }) => `  ${"".padEnd(width)}  ${mac}  ${addresses.join(" ")}`,
      ),
    ]),
    ...refused.map(
      ({ host, mac, addresses, why }) =>
        `not believed  ${mac} ${addresses.join(" ")} on ${host}: ${why}`,
    ),
  ];
}

async function inspect(context: Context, name: string | undefined): Promise<void> {
  const { items } = await context.api.list<NetworkView>("networks");
  const found = items.find((item) => item.name === name);
  if (found === undefined && name !== undefined && (await inspectAddress(context, name))) return;
  if (found === undefined) {
    const addressed = await listAddressed(context);
    const nearest = findNearest(name ?? "", [
      ...items.map((item) => item.name),
      ...addressed.flatMap((one) => [one.name, `${one.scope}/${one.name}`]),
    ]);
    throw new FairleadError(
      name === undefined ? cliErrors["missing-argument"] : cliErrors["no-such-name"],
      name === undefined
        ? "say which network, or which service with an address"
        : `no network that spans hosts, and no service with an address, is called ${name}`,
      { remedy: nearest === undefined ? "see `fairlead net ls`" : `did you mean ${nearest}?` },
    );
  }
  await context.out.document(found, {
    kind: "Network",
    name: (item) => item.name,
    text: (view) => describeNetwork(view, Date.now()),
  });
}

/** Exits 0 unless something fails, then 1. */
async function diagnose(context: Context): Promise<number> {
  const { out } = context;
  const startedMs = performance.now();
  const { reports, missing } = await askOverlays(context);
  for (const one of missing) out.warn(`! partial: ${one}`);
  if (reports.length === 0 && out.forPeople) {
    out.note(LIST.empty);
    return EXIT.ok;
  }
  const tookMs = performance.now() - startedMs;
  const view = { short: false, tookMs, versions: "", silences: [], nowMs: 0 };
  return showReports(context, reports, view);
}

async function rotate(context: Context): Promise<void> {
  const { api, out } = context;
  const query = readReason(context);
  const answer = await api.call<RotationAnswer>("POST", "networks/rotate", { query });
  await out.document(answer, {
    kind: "Rotation",
    name: ({ hosts }) => String(hosts),
    text: ({ hosts }) => [
      hosts === 0
        ? "no host has a key: none has an encrypted network"
        : `${hosts} hosts change their keys within seconds; what is connected stays so (fairlead decisions)`,
    ],
  });
}

/** `fairlead net ls`, `fairlead net doctor`, `fairlead net rotate` and `fairlead net inspect NAME` */
export async function run(context: Context): Promise<number> {
  const { api, out, parsed } = context;
  const [verb = "", name] = parsed.arguments;
  if (verb === "doctor") return diagnose(context);
  if (verb === "rotate") await rotate(context);
  else if (verb === "inspect") await inspect(context, name);
  else {
    await out.list(await api.list<NetworkView>("networks"), LIST);
    await showAddresses(context);
  }
  return EXIT.ok;
}
