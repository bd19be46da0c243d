// SPDX-License-Identifier: Apache-2.0
// Encryption between the hosts of a fleet: keeps this host's device as the keys in the store want it, and this host's key
// there. A new key is told before it is used: others know it by then, and what is connected stays so.
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "#base/clock.ts";
import type { PlannedAction } from "#model/action.ts";
import { chooseTunnelMtu, nameTunnel } from "#network/plan-tunnel.ts";
import type { TunnelKey, TunnelKeys } from "#network/tunnel-keys.ts";
import type { Tunnel, TunnelChange, TunnelFact, TunnelPeer, TunnelSpec } from "#network/tunnel.ts";
import type { Store, StoreOperation } from "#store/store.ts";
import type { DecisionLog } from "./decision-log.ts";
import { ROTATE_KEY, tunnelKey, type OverlayPicture, type TunnelEntry } from "./overlay-entries.ts";
import type { AskedBy } from "./topologies.ts";

export interface TunnelsOptions {
  /** This node: its id, and the address at which other hosts reach it. */
  readonly self: { readonly id: string; readonly address: string };
  readonly tunnel: Tunnel;
  readonly keys: TunnelKeys;
  /** UDP port on which this host takes encrypted packets. */
  readonly port: number;
  /** A key that is as old is changed. */
  readonly rotateMs: number;
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  readonly readNodes: () => ReadonlyMap<string, string> | undefined;
  readonly clock: Clock;
}

export interface Tunnels {
  /** Name of the device on this host. */
  readonly device: string;
  /** As it stood last; undefined when there is none. */
  readonly fact: TunnelFact | undefined;
  /** The key of this host that is in use. */
  readonly key: TunnelKey | undefined;
  /**
   * Makes the device for encrypted networks whose packets are that large, or removes it when there is none. Throws
   * FL1104 `tunnel-tools`, FL1105 `tunnel-refused`.
   */
  apply(picture: OverlayPicture, mtus: readonly number[]): Promise<void>;
  /** What to write so that other hosts know the key of this one, or that it has none. */
  planKey(picture: OverlayPicture): readonly StoreOperation[];
}

/** So long other hosts have to learn of a key before it is used. */
const SETTLE_MS = 3_000;

const short = (publicKey: string): string => `${publicKey.slice(0, 8)}…`;

/** Asks all hosts of a fleet for another key, once more than before. Returns how many have one. */
export async function askRotation(
  store: Store,
  { rotation, keys }: OverlayPicture,
  by: AskedBy,
): Promise<number> {
  const turn = Math.max(rotation, ...[...keys.values()].map((entry) => entry.turn)) + 1;
  await store.transact([{ kind: "put", key: ROTATE_KEY, value: { turn, ...by } }]);
  return keys.size;
}

/** Other hosts, the newest key first: of two that say the same address, the older one is of a node that was there before. */
function listPeers(
  picture: OverlayPicture,
  self: string,
  nodes: ReadonlyMap<string, string> | undefined,
): readonly TunnelPeer[] {
  return [...picture.keys]
    .filter(([node]) => node !== self && (nodes === undefined || nodes.has(node)))
    .toSorted(([, a], [, b]) => b.madeAtMs - a.madeAtMs)
    .flatMap(([, { address, port, publicKey, next }]) => {
      const endpoint = { address, port };
      const following =
        next === undefined ? [] : [{ publicKey: next, address: undefined, endpoint }];
      return [{ publicKey, address, endpoint }, ...following];
    });
}

function describeTurn(
  device: string,
  changes: readonly TunnelChange[],
  isDrift: boolean,
  nowMs: number,
): PlannedAction | undefined {
  const isMade = changes.some(({ kind }) => kind === "make");
  if (changes.length === 0 || (!isMade && !isDrift)) return undefined;
  const detail = isDrift
    ? `${device} was not as this node had made it`
    : "this host has a network that is encrypted";
  return {
    key: `tunnel/${device}`,
    act: isDrift ? "network.repair" : "network.encrypt",
    object: device,
    title: isDrift ? `repaired ${device}` : "encrypts packets to other hosts",
    trigger: { kind: isDrift ? "missing" : "change", detail, atMs: nowMs },
    rule: { text: "networks: driver_opts: encrypted" },
    inputs: { device, changes: changes.map(({ kind }) => kind).join(" ") },
    notDone: [],
  };
}

/** Makes the keeper; nothing is done before it is called. */
export function createTunnels(options: TunnelsOptions): Tunnels {
  const { self, tunnel, keys, port, decisions, clock } = options;
  const device = nameTunnel(self.id);
  let [key, next]: (TunnelKey | undefined)[] = [];
  let fact: TunnelFact | undefined;
  let applied: TunnelSpec | undefined;
  /** The last turn of keys that this host has had. */
  let turn: number | undefined;
  /** Since when the key that follows stands in the store. */
  let toldMs: number | undefined;
  let isFirst = true;
  let last: Promise<unknown> = Promise.resolve();

  async function record(action: PlannedAction, result: string): Promise<void> {
    const decision = await decisions.begin(action, { scope: "", actor: "automatic" });
    await decisions.finish(decision, { outcome: "done", result });
  }

  /** What the store says of this host may be older than what it has done. */
  function isDue({ madeAtMs }: TunnelKey, asked: number): boolean {
    if (turn !== undefined && asked > turn) return true;
    return clock.nowMs() - madeAtMs >= options.rotateMs;
  }

  async function switchKey(from: TunnelKey, to: TunnelKey): Promise<void> {
    await keys.switchToNext();
    [key, next, toldMs] = [to, undefined, undefined];
    const inputs = { from: short(from.publicKey), to: short(to.publicKey) };
    const action: PlannedAction = {
      key: `tunnel/${device}`,
      act: "network.rotate",
      object: device,
      title: "changed the key of this host",
      trigger: {
        kind: "schedule",
        detail: "the other hosts know the next key",
        atMs: clock.nowMs(),
      },
      rule: { text: "settings: overlay.rotateDays" },
      inputs,
      notDone: [],
    };
    await record(action, `${inputs.from} to ${inputs.to}`);
  }

  /** One step further in the change of keys, if one is due or under way. */
  async function turnKeys(picture: OverlayPicture): Promise<TunnelKey> {
    const current = await keys.read();
    [key, next] = [current, await keys.readNext()];
    const own = picture.keys.get(self.id);
    if (next === undefined) {
      turn ??= own?.turn ?? picture.rotation;
      if (!isDue(current, picture.rotation)) return current;
      [next, toldMs] = [await keys.prepareNext(), undefined];
    }
    if (own?.next !== next.publicKey) return current;
    toldMs ??= clock.monotonicMs();
    if (clock.monotonicMs() - toldMs < SETTLE_MS) return current;
    const following = next;
    turn = picture.rotation;
    await switchKey(current, following);
    return following;
  }

  async function remove(): Promise<void> {
    if (!isFirst && applied === undefined) return;
    await tunnel.remove(device);
    [isFirst, applied, fact, key, next] = [false, undefined, undefined, undefined, undefined];
  }

  async function applyNow(picture: OverlayPicture, mtus: readonly number[]): Promise<void> {
    if (mtus.length === 0) return remove();
    const { publicKey } = await turnKeys(picture);
    // A store that has lost this host's key has lost the others' too: who was known stays.
    const isLost = applied !== undefined && !picture.keys.has(self.id);
    const peers = listPeers(picture, self.id, options.readNodes());
    const spec: TunnelSpec = {
      device,
      host: self.address,
      port,
      mtu: chooseTunnelMtu(self.address, mtus),
      keyFile: keys.file,
      publicKey,
      peers: isLost ? (applied?.peers ?? []) : peers,
    };
    const isSame = isDeepStrictEqual(spec, applied);
    const done = await tunnel.apply(spec);
    [isFirst, applied, fact] = [false, spec, done.fact];
    const action = describeTurn(device, done.changes, isSame, clock.nowMs());
    if (action !== undefined) await record(action, `by ${done.fact.way}`);
  }

  return {
    device,
    get fact() {
      return fact;
    },
    get key() {
      return key;
    },
    apply(picture, mtus) {
      // One that makes a network waits for the loop, and the loop for it.
      const mine = last.then(() => applyNow(picture, mtus));
      last = mine.catch(() => undefined);
      return mine;
    },
    planKey(picture) {
      const own = picture.keys.get(self.id);
      const storeKey = tunnelKey(self.id);
      if (key === undefined) return own === undefined ? [] : [{ kind: "delete", key: storeKey }];
      const value: TunnelEntry = {
        address: self.address,
        port,
        ...key,
        ...(next === undefined ? {} : { next: next.publicKey }),
        turn: turn ?? 0,
      };
      return isDeepStrictEqual(own, value) ? [] : [{ kind: "put", key: storeKey, value }];
    },
  };
}
