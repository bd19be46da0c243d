// SPDX-License-Identifier: Apache-2.0
// The kernel's VXLAN, with all it needs to know written into it: a device a network, port of the engine's bridge, that
// learns nothing and has no group, so that what it was not told of goes nowhere; it answers for the addresses it was told of.
import { FairleadError } from "#base/errors.ts";
import { createIpRunner } from "#netfilter/run-ip.ts";
import { networkErrors } from "#network/errors.ts";
import type {
  Overlay,
  OverlayApplyOptions,
  OverlayAttachment,
  OverlayChange,
} from "#network/overlay.ts";
import { nameDevice, planFromMemory, planOverlay } from "#network/plan-overlay.ts";
import { foreignKey, readState, type KernelState } from "./read-state.ts";
import { renderCommands } from "./write-changes.ts";

export interface VxlanOptions {
  /** Path of a network namespace, where it is not the process's own. */
  readonly netns?: string;
}

/** How often a host is looked at that changes while it is looked at. */
const LOOKS_MAX = 3;

/** Why a network cannot be on this host as that stands; undefined when it can. */
function findObstacle(
  { network, bridge }: OverlayAttachment,
  { foreign, bridges }: KernelState,
): FairleadError | undefined {
  const { name, vni, port } = network;
  const device = nameDevice(vni);
  if (foreign.has(device) || foreign.has(foreignKey(vni, port)))
    return new FairleadError(
      networkErrors["overlay-taken"],
      `the network ${name} has no device: another has its name or identifier`,
      { facts: { device, vni, port } },
    );
  if (bridges.has(bridge)) return undefined;
  return new FairleadError(
    networkErrors["overlay-refused"],
    `the network ${name} has no device: the engine's bridge for it is not there`,
    { facts: { bridge } },
  );
}

/** Nothing is asked of the kernel before the first call. */
export function createVxlanOverlay({ netns }: VxlanOptions = {}): Overlay {
  const ip = createIpRunner(netns);
  let last: Promise<unknown> = Promise.resolve();
  /** What this host was made as, and nothing was complained of. */
  let made: readonly OverlayAttachment[] | undefined;

  async function write(changes: readonly OverlayChange[], signal?: AbortSignal): Promise<string> {
    const { links, ports, neighbours } = renderCommands(changes);
    const complaints = [
      await ip.batch("ip", links, signal),
      ...(await Promise.all([
        ip.batch("bridge", ports, signal),
        ip.batch("ip", neighbours, signal),
      ])),
    ];
    return complaints.filter((complaint) => complaint !== "").join("\n");
  }

  async function applyFromMemory(
    wanted: readonly OverlayAttachment[],
    signal?: AbortSignal,
  ): Promise<readonly OverlayChange[] | undefined> {
    const changes = planFromMemory(wanted, made);
    if (changes === undefined) return undefined;
    made = undefined;
    if ((await write(changes, signal)) !== "") return undefined;
    made = wanted;
    return changes;
  }

  async function apply(
    wanted: readonly OverlayAttachment[],
    { isFromMemory = false, signal }: OverlayApplyOptions,
  ): Promise<readonly OverlayChange[]> {
    const remembered = isFromMemory ? await applyFromMemory(wanted, signal) : undefined;
    if (remembered !== undefined) return remembered;
    made = undefined;
    return make(wanted, await readState(ip, signal), signal);
  }

  /** Makes of a host that stands so what is wanted. */
  async function make(
    wanted: readonly OverlayAttachment[],
    state: KernelState,
    signal?: AbortSignal,
  ): Promise<readonly OverlayChange[]> {
    made = undefined;
    const obstacles = wanted.flatMap((one) => findObstacle(one, state) ?? []);
    const possible = wanted.filter((one) => findObstacle(one, state) === undefined);
    const changes = planOverlay(possible, state.facts);
    const complaint = await write(changes, signal);
    // What is complained of may be as wanted all the same: an entry that went with its device.
    if (complaint !== "" && planOverlay(possible, (await readState(ip, signal)).facts).length > 0)
      throw new FairleadError(
        networkErrors["overlay-refused"],
        complaint.split("\n")[0] ?? complaint,
        { facts: { changes: changes.length } },
      );
    const [obstacle] = obstacles;
    if (obstacle !== undefined) throw obstacle;
    made = wanted;
    return changes;
  }

  async function repair(signal?: AbortSignal): Promise<readonly OverlayChange[]> {
    for (let looks = 0; looks < LOOKS_MAX; looks++) {
      const wanted = made;
      if (wanted === undefined) return [];
      const state = await readState(ip, signal);
      const changes = await inTurn(async () =>
        made === wanted ? make(wanted, state, signal) : undefined,
      );
      if (changes !== undefined) return changes;
    }
    return [];
  }

  /** Two that write at once would each take the other's for drift. */
  function inTurn<T>(task: () => Promise<T>): Promise<T> {
    const turn = last.then(task, task);
    last = turn.catch(() => undefined);
    return turn;
  }

  return {
    kind: "vxlan",
    observe: ({ signal } = {}) => inTurn(async () => (await readState(ip, signal)).facts),
    apply: (wanted, options = {}) => inTurn(() => apply(wanted, options)),
    repair: ({ signal } = {}) => repair(signal),
    async [Symbol.asyncDispose]() {
      await last;
    },
  };
}
