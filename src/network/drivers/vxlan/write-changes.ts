// SPDX-License-Identifier: Apache-2.0
// Changes as commands of iproute2. What comes from other nodes went through `listWantedEntries`, so that every word here is
// an address, a MAC or a number; names are held to what names may be.
import { FairleadError } from "#base/errors.ts";
import { networkErrors } from "#network/errors.ts";
import type { OverlayAttachment, OverlayChange, OverlayEntry } from "#network/overlay.ts";
import { normalizeAddress } from "#network/plan-overlay.ts";
import { MARK } from "./read-state.ts";

/** Commands by who runs them, in the order to run them. */
export interface Commands {
  readonly links: readonly string[];
  readonly ports: readonly string[];
  readonly neighbours: readonly string[];
}

/** What the engine takes as names of networks, and the kernel as names of devices. */
const NETWORK_NAME = /^[A-Za-z0-9][\w.-]{0,200}$/;
const DEVICE_NAME = /^[A-Za-z0-9][\w.-]{0,14}$/;

function checkName(pattern: RegExp, name: string): string {
  if (pattern.test(name)) return name;
  throw new FairleadError(
    networkErrors["overlay-refused"],
    `"${name}" cannot be the name of a network or a bridge`,
  );
}

function renderMake(
  device: string,
  { network, host, tunnel }: OverlayAttachment,
): readonly string[] {
  const { name, vni, port } = network;
  const alias = `${MARK}${checkName(NETWORK_NAME, name)}`;
  const local = normalizeAddress(host);
  if (local === undefined)
    throw new FairleadError(
      networkErrors["overlay-refused"],
      `"${host}" is no address at which other hosts reach this one`,
    );
  const bound = tunnel === undefined ? "" : ` dev ${checkName(DEVICE_NAME, tunnel)}`;
  return [
    // Without a checksum over IPv4, as RFC 7348 has it: what is inside has its own.
    `link add ${device} type vxlan id ${vni} local ${local}${bound} dstport ${port} nolearning proxy noudpcsum`,
    `link set ${device} alias ${alias}`,
    // Its own packets are of no use to anybody.
    `link set ${device} addrgenmode none`,
  ];
}

function renderSet(device: string, { network, bridge }: OverlayAttachment): string {
  return `link set ${device} mtu ${network.mtu} master ${checkName(DEVICE_NAME, bridge)} up`;
}

/** Entries of a bridge are sticky: what a container says with the MAC of another moves nothing. */
function renderEntry(kind: "add" | "drop", device: string, entry: OverlayEntry): string {
  const { table, key, value } = entry;
  const verb = kind === "add" ? "replace" : "del";
  switch (table) {
    case "forward":
      return `fdb ${verb} ${key} dev ${device} dst ${value} self${kind === "add" ? " permanent" : ""}`;
    case "bridge":
      return `fdb ${verb} ${key} dev ${device} master${kind === "add" ? " static sticky" : ""}`;
    case "neighbour":
      return kind === "add"
        ? `neigh replace ${key} lladdr ${value} dev ${device} nud permanent`
        : `neigh del ${key} dev ${device}`;
  }
}

/** Renders changes. Throws FL1102 `overlay-refused` for a name that cannot be one; nothing was done then. */
export function renderCommands(changes: readonly OverlayChange[]): Commands {
  const links: string[] = [];
  const ports: string[] = [];
  const neighbours: string[] = [];
  for (const change of changes) {
    const { device } = change;
    if (change.kind === "remove") links.push(`link del ${device}`);
    else if ("attachment" in change) {
      if (change.kind === "make") links.push(...renderMake(device, change.attachment));
      links.push(renderSet(device, change.attachment));
      ports.push(`link set dev ${device} learning off flood off`);
    } else {
      const commands = change.entry.table === "neighbour" ? neighbours : ports;
      commands.push(renderEntry(change.kind, device, change.entry));
    }
  }
  return { links, ports, neighbours };
}
