// SPDX-License-Identifier: Apache-2.0
// Networks that span hosts: watches the fleet's entries, makes this host as they want it, and writes where its instances
// are. While the store does not answer, what was last known stands, and drift is repaired all the same.
import { isDeepStrictEqual } from "node:util";
import type { NetworkView } from "@fairlead/protocol/network.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { OWN_LABELS, type NetworkFact } from "#model/facts.ts";
import type { NetworkIntent } from "#model/intent.ts";
import { chooseNetworkMtu, familyOf } from "#network/measure-path.ts";
import type { Overlay, OverlayAttachment, OverlayChange } from "#network/overlay.ts";
import { nameBridge, nameDevice } from "#network/plan-overlay.ts";
import type { Store } from "#store/store.ts";
import type { OverlayClaim } from "./claim-overlay.ts";
import type { DecisionLog } from "./decision-log.ts";
import { describeOverlayTurn } from "./describe-overlay-change.ts";
import { answerDoorbell, createDoorbell } from "./doorbell.ts";
import { controlErrors } from "./errors.ts";
import type { FactsBoard } from "./facts-board.ts";
import type { HostNetwork } from "./host-networks.ts";
import { writeClaim } from "./keep-overlay-entries.ts";
import { createOverlayPicture, judgeEndpoints, OVERLAY_PREFIX } from "./overlay-entries.ts";
import { createOverlayReach, type OverlayReach } from "./overlay-reach.ts";
import type { Paths } from "./paths.ts";
import { createProtection, type ProtectionOptions } from "./protect-overlays.ts";
import { createReleaser } from "./release-overlays.ts";
import type { Shortcuts } from "./shortcuts.ts";
import { findTightPath, showOverlay } from "./show-overlay.ts";
import { createOverlayTeller, listPathMtus } from "./tell-overlays.ts";
import type { AskedBy } from "./topologies.ts";
import { readEncrypted, translateNetwork } from "./translate-network.ts";
import { askRotation } from "./tunnels.ts";

export interface OverlaysOptions {
  /** This node: its id, and the address at which other hosts reach it. */
  readonly self: { readonly id: string; readonly address: string };
  /** Opens the fleet's part of the store. Undefined for a node by itself, which has no such networks. */
  readonly openStore: (() => Promise<Store>) | undefined;
  readonly overlay: Overlay;
  /** How networks are protected. */
  readonly tunnel: ProtectionOptions["tunnel"];
  readonly guard: ProtectionOptions["guard"];
  readonly readHosts: ProtectionOptions["readHosts"];
  readonly shortcuts: Pick<Shortcuts, "note" | "noteRepair" | "show">;
  /** Whether networks are encrypted whose files do not say. */
  readonly encrypts: boolean;
  readonly board: Pick<FactsBoard, "read" | "ready" | "onChange">;
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  /** Blocks of addresses from which networks get theirs. */
  readonly pools: readonly string[];
  /** UDP port between the hosts. */
  readonly port: number;
  /** What this host has besides networks that span hosts. */
  readonly listHostNetworks: () => readonly HostNetwork[];
  /** What was measured of the ways to other nodes. */
  readonly paths: Pick<Paths, "list" | "settle" | "onChange">;
  /** Nodes of the fleet, by id how they are called; undefined while that is not known for certain. */
  readonly readNodes: () => ReadonlyMap<string, string> | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Overlays extends Pick<OverlayReach, "reaches" | "onReach"> {
  /**
   * A network with the driver vxlan as the engine is to make it: a bridge with this host's range. Others pass through.
   * Throws FL0720 `overlay-ranges`, FL0721 `overlay-no-fleet`, FL0722 `overlay-encryption`, FL1104 `tunnel-tools`.
   */
  prepare(network: NetworkIntent): Promise<NetworkIntent>;
  /**
   * Asks all hosts to change their keys, and returns how many have one. Throws FL0721 `overlay-no-fleet`, and what the
   * store throws.
   */
  rotate(by: AskedBy): Promise<number>;
  list(): readonly NetworkView[];
  /** Why what is listed may be old, or this host not as it should be. */
  readonly problem: string | undefined;
  run(signal: AbortSignal): Promise<void>;
}

const RETRY_MS = 1_000;
/** How often this host is looked at although nothing was told. */
const RESYNC_MS = 5_000;
/** How long a new network waits for paths that are being measured. */
const SETTLE_MS = 5_000;
/** Where nothing was measured. */
const ETHERNET_MTU = 1_500;

const isOverlay = ({ labels }: NetworkFact): boolean => labels[OWN_LABELS.overlay] !== undefined;

/** Makes the loops. */
export function createOverlays(options: OverlaysOptions): Overlays {
  const { self, overlay, board, decisions, shortcuts, clock, logger } = options;
  const picture = createOverlayPicture();
  /** What this node has claimed, so that a store that lost it gets it back. */
  const held = new Map<string, OverlayClaim>();
  const protection = createProtection({ ...options, picture });
  const { tunnels } = protection;
  const onRelease = (name: string): void => void held.delete(name);
  const releaser = createReleaser({ ...options, self: self.id, picture, onRelease });
  const teller = createOverlayTeller({ ...options, picture, held, releaser, listLocal, tunnels });
  const applied = new Map<string, OverlayAttachment>();
  const reach = createOverlayReach(self.address);
  let store: Store | undefined;
  let isKnown = false;
  let storeProblem: string | undefined = "the store was not asked yet";
  let hostProblem: string | undefined;
  let writeProblem: string | undefined;
  /** What an earlier life has left is looked at once, whether or not a network is wanted. */
  let isFirst = true;
  /** Who makes the host as it is wanted does not wait for who tells the store, nor the other way round. */
  const [makeBell, tellBell] = [createDoorbell(clock), createDoorbell(clock)];

  function listLocal(): readonly NetworkFact[] {
    return board.ready ? board.read().networks.filter(isOverlay) : [];
  }

  function describeAttachment(name: string): OverlayAttachment | undefined {
    const entries = picture.get(name);
    const definition = entries?.definition;
    // One that the store has lost stays as it was.
    if (entries === undefined || definition === undefined) return applied.get(name);
    const { vni, port, mtu } = definition;
    return {
      network: { name, vni, port, mtu },
      host: self.address,
      bridge: nameBridge(vni),
      tunnel: definition.encrypted ? tunnels.device : undefined,
      endpoints: judgeEndpoints(entries).endpoints,
    };
  }

  async function record(
    attachment: OverlayAttachment,
    all: readonly OverlayChange[],
    { scope, isDrift }: { readonly scope: string; readonly isDrift: boolean },
  ): Promise<void> {
    const { name, vni } = attachment.network;
    const device = nameDevice(vni);
    const changes = all.filter((change) => change.device === device);
    const nowMs = clock.nowMs();
    const action = describeOverlayTurn({ name, device, changes, isDrift, nowMs });
    if (action === undefined) return;
    const decision = await decisions.begin(action, { scope, actor: "automatic" });
    const result = changes.length === 1 ? "1 change" : `${changes.length} changes`;
    await decisions.finish(decision, { outcome: "done", result });
  }

  async function applyAll(): Promise<void> {
    const local = listLocal();
    const all = local.flatMap(({ name }) => describeAttachment(name) ?? []);
    const isSame =
      all.length === applied.size &&
      all.every((one) => isDeepStrictEqual(applied.get(one.network.name), one));
    // Most that is told of an engine is of no interest to networks.
    const isPlain = all.every(({ tunnel }) => tunnel === undefined);
    const isFromMemory = !isFirst && hostProblem === undefined;
    if (isSame && isPlain && isFromMemory) return;
    const failure = await protection.apply(all, isFromMemory);
    // Without what protects it there is none of an encrypted network either: nothing of it goes in clear.
    const wanted = failure === undefined ? all : all.filter(({ tunnel }) => tunnel === undefined);
    if (wanted.length === 0 && applied.size === 0 && !isFirst && failure === undefined) return;
    const changes = await overlay.apply(wanted, { isFromMemory });
    isFirst = false;
    reach.note(wanted);
    shortcuts.note(wanted, changes, local);
    const scopes = new Map(local.map(({ name, labels }) => [name, labels[OWN_LABELS.scope] ?? ""]));
    const names = new Set(wanted.map(({ network }) => network.name));
    const gone = [...applied].filter(([name]) => !names.has(name)).map(([, one]) => one);
    for (const one of [...wanted, ...gone]) {
      const { name } = one.network;
      const isWanted = names.has(name);
      const isDrift = isWanted && isDeepStrictEqual(applied.get(name), one);
      await record(one, changes, { scope: scopes.get(name) ?? "", isDrift });
      if (isWanted) applied.set(name, one);
      else applied.delete(name);
    }
    if (failure !== undefined) throw failure;
  }

  /** Looks at the host, which takes a while: what is new is made and told meanwhile. */
  async function look(): Promise<void> {
    // What failed is made from what stands.
    if (isFirst || hostProblem !== undefined) return;
    const failure = await protection.repair();
    if (failure !== undefined) throw failure;
    const changes = applied.size === 0 ? [] : await overlay.repair();
    shortcuts.noteRepair(changes);
    const scopes = new Map(
      listLocal().map(({ name, labels }) => [name, labels[OWN_LABELS.scope] ?? ""]),
    );
    for (const one of applied.values())
      await record(one, changes, { scope: scopes.get(one.network.name) ?? "", isDrift: true });
  }

  /** For a network that is new: what the smallest way between any two nodes carries. */
  async function chooseMtu(isEncrypted: boolean): Promise<number> {
    await options.paths.settle(SETTLE_MS);
    const all = [listPathMtus(options.paths), ...picture.paths.values()].flatMap((one) =>
      Object.values(one),
    );
    return chooseNetworkMtu(familyOf(self.address), isEncrypted, all, ETHERNET_MTU);
  }

  function needStore(what: string): Store {
    if (store !== undefined && storeProblem === undefined) return store;
    throw new FairleadError(controlErrors["overlay-no-fleet"], what, {
      facts: { because: storeProblem ?? "the store is not open" },
    });
  }

  const nameNode = (id: string): string | undefined => options.readNodes()?.get(id);

  /** Before the store and the engine were heard, nothing is known to be wrong. */
  const isHeard = (): boolean => isKnown && board.ready;

  async function make(): Promise<void> {
    if (!isHeard()) return;
    try {
      await applyAll();
      hostProblem = undefined;
    } finally {
      // A key that was made is to be told.
      tellBell.ring();
    }
  }

  async function tell(): Promise<void> {
    if (!isHeard() || store === undefined || storeProblem !== undefined) return;
    await teller.tell(store);
    writeProblem = undefined;
  }

  async function keepLooking(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(RESYNC_MS, signal).catch(() => undefined);
      if (signal.aborted || !isHeard()) continue;
      try {
        await look();
        // A key that was changed is to be told.
        tellBell.ring();
      } catch (thrown) {
        hostProblem = note(thrown, hostProblem);
        makeBell.ring();
      }
    }
  }

  function ringBoth(): void {
    makeBell.ring();
    tellBell.ring();
  }

  /** Says it once. */
  function note(thrown: unknown, known: string | undefined): string {
    const { message } = FairleadError.from(thrown);
    if (message !== known)
      logger.warn("networks that span hosts are not as they should be", { reason: message });
    return message;
  }

  async function follow(from: Store, signal: AbortSignal): Promise<void> {
    const snapshot = await from.list(OVERLAY_PREFIX, { signal });
    picture.clear();
    for (const entry of snapshot.entries) take(entry);
    [isKnown, storeProblem] = [true, undefined];
    ringBoth();
    for await (const changes of from.watch(OVERLAY_PREFIX, snapshot.revision, { signal })) {
      for (const change of changes) take(change);
      ringBoth();
    }
  }

  function take(change: { readonly key: string; readonly value?: unknown }): void {
    if (!picture.take(change))
      logger.warn("an entry of a network cannot be read", { key: change.key });
  }

  async function keepUp(open: () => Promise<Store>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        store ??= await open();
        await follow(store, signal);
      } catch (thrown) {
        if (signal.aborted) break;
        storeProblem = note(thrown, storeProblem);
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
    await store?.[Symbol.asyncDispose]();
  }

  return {
    async prepare(network) {
      if (network.driver !== "vxlan") return network;
      const { name } = network;
      const to = needStore(`the network ${name} cannot span hosts`);
      const encrypted = readEncrypted(network) ?? options.encrypts;
      const mtu = picture.get(name)?.definition?.mtu ?? (await chooseMtu(encrypted));
      // A host that cannot encrypt says so before it takes a range.
      if (encrypted) await protection.expect(name, mtu);
      const request = {
        name,
        node: self.id,
        subnets: (network.ipam?.config ?? []).flatMap(({ Subnet }) => Subnet ?? []),
        ipv6: network.enableIpv6,
        pools: options.pools,
        port: options.port,
        encrypted,
        mtu,
        hostNetworks: options.listHostNetworks(),
      };
      releaser.keep(name);
      const claim = await writeClaim(to, request);
      held.set(name, claim);
      return translateNetwork(network, claim);
    },
    rotate: async (by) => askRotation(needStore("no key can be changed"), picture, by),
    list: () =>
      picture.names().flatMap((name) => {
        const entries = picture.get(name);
        if (entries === undefined) return [];
        const isHere = applied.has(name) || listLocal().some((one) => one.name === name);
        const problem = hostProblem ?? findTightPath(entries, picture.paths, nameNode);
        const { fact, key } = tunnels;
        const common = { self: self.id, keys: picture.keys, fact, key };
        const view = { ...common, name, isHere, problem, shortcut: shortcuts.show };
        return showOverlay(view, entries, nameNode) ?? [];
      }),
    ...reach,
    get problem() {
      return options.openStore === undefined
        ? undefined
        : (storeProblem ?? writeProblem ?? hostProblem);
    },
    async run(signal) {
      if (options.openStore === undefined) return;
      const stops = [board.onChange(ringBoth), options.paths.onChange(tellBell.ring)];
      const onMakeFailed = (thrown: FairleadError): void => {
        hostProblem = note(thrown, hostProblem);
      };
      const onTellFailed = (thrown: FairleadError): void => {
        writeProblem = note(thrown, writeProblem);
      };
      const restMs = RESYNC_MS;
      await Promise.all([
        keepUp(options.openStore, signal),
        answerDoorbell(makeBell, { look: make, onFailed: onMakeFailed, restMs }, signal),
        answerDoorbell(tellBell, { look: tell, onFailed: onTellFailed, restMs }, signal),
        keepLooking(signal),
      ]);
      for (const stop of stops) stop();
    },
  };
}
