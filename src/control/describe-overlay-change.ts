// SPDX-License-Identifier: Apache-2.0
// What was done to a network that spans hosts, as a decision says it.
import type { PlannedAction } from "#model/action.ts";
import type { OverlayChange } from "#network/overlay.ts";

export interface OverlayTurn {
  readonly name: string;
  readonly device: string;
  readonly changes: readonly OverlayChange[];
  /** Whether nothing else was wanted than before: then somebody else has changed it. */
  readonly isDrift: boolean;
  readonly nowMs: number;
}

function countEntries(changes: readonly OverlayChange[], kind: "add" | "drop"): number {
  return changes.filter((change) => change.kind === kind).length;
}

/** The decision about packet rules that somebody has changed. */
export function describeGuardRepair(nowMs: number): PlannedAction {
  const detail = "the table inet fairlead_overlay was not as this node had made it";
  return {
    key: "overlay-rules",
    act: "network.repair",
    object: "fairlead_overlay",
    title: "repaired the packet rules of networks that span hosts",
    trigger: { kind: "missing", detail, atMs: nowMs },
    rule: { text: "networks: driver: vxlan" },
    inputs: {},
    notDone: [],
  };
}

/**
 * The decision about a network whose device came, went or was found changed; undefined where only entries followed
 * instances, which their own decisions tell.
 */
export function describeOverlayTurn(turn: OverlayTurn): PlannedAction | undefined {
  const { name, device, changes, isDrift, nowMs } = turn;
  if (changes.length === 0) return undefined;
  const isMade = changes.some(({ kind }) => kind === "make");
  const isGone = !isMade && changes.some(({ kind }) => kind === "remove");
  if (!isMade && !isGone && !isDrift) return undefined;
  const act = isDrift ? "network.repair" : isMade ? "network.join" : "network.leave";
  const words = {
    "network.repair": [`repaired ${name}`, `${device} was not as this node had made it`],
    "network.join": [`joined ${name} with other hosts`, "the engine has the network"],
    "network.leave": [`took ${name} from other hosts`, "the engine has the network no more"],
  } as const;
  const [title, detail] = words[act];
  return {
    key: `overlay/${name}`,
    act,
    object: name,
    title,
    trigger: { kind: isDrift ? "missing" : "change", detail, atMs: nowMs },
    rule: { text: "networks: driver: vxlan" },
    inputs: {
      device,
      added: countEntries(changes, "add"),
      removed: countEntries(changes, "drop"),
    },
    notDone: [],
  };
}
