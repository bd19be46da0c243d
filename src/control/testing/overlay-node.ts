// SPDX-License-Identifier: Apache-2.0
// A node's loop of networks that span hosts, over a store that it shares, a host in memory, and a board with what a test
// puts on it.
import { setImmediate } from "node:timers/promises";
import type { Clock } from "#base/clock.ts";
import { silentLogger } from "#base/logger.ts";
import { buildFacts, buildInstance } from "#brain/testing/builders.ts";
import { createDecisionLog } from "#control/decision-log.ts";
import { createOverlays, type OverlaysOptions } from "#control/overlays.ts";
import { createShortcuts } from "#control/shortcuts.ts";
import type { Facts, InstanceFact, NetworkFact } from "#model/facts.ts";
import type { NetworkIntent } from "#model/intent.ts";
import { createMemoryHost } from "#network/drivers/memory/driver.ts";
import { createMemoryTunnel } from "#network/drivers/memory/tunnel.ts";
import type { TunnelKey, TunnelKeys } from "#network/tunnel-keys.ts";
import type { Store } from "#store/store.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";

export const NETWORK: NetworkIntent = {
  key: "default",
  name: "shop_default",
  external: false,
  driver: "vxlan",
  options: {},
  internal: false,
  attachable: false,
  enableIpv6: true,
  labels: {},
  hash: "v1",
};

const TURNS_MAX = 10_000;

/** Waits until it holds; nothing here takes time, only turns of the event loop. */
export async function settle(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    if (await holds()) return;
    await setImmediate();
  }
  throw new Error(`not reached: ${what}`);
}

/** Keys without files: their letter says of whom, and of which turn. */
function createMemoryKeys(n: number, clock: Clock): TunnelKeys {
  let count = 0;
  const make = (): TunnelKey => {
    const publicKey = `${String(n)}${String(count++)}`.padEnd(43, "A") + "=";
    return { publicKey, madeAtMs: clock.nowMs() };
  };
  let [key, next]: (TunnelKey | undefined)[] = [];
  return {
    file: "/none",
    read: () => Promise.resolve((key ??= make())),
    readNext: () => Promise.resolve(next),
    prepareNext: () => Promise.resolve((next ??= make())),
    switchToNext() {
      [key, next] = [next, undefined];
      return Promise.resolve();
    },
  };
}

/** Starts one; `shared` outlives it. */
export async function startOverlayNode(
  n: number,
  shared: Store,
  more: Partial<OverlaysOptions> = {},
) {
  const clock = createManualClock();
  const host = createMemoryHost(["flb100000", "flb100001"]);
  const tunnel = createMemoryTunnel();
  const keys = createMemoryKeys(n, clock);
  const listeners = new Set<() => void>();
  let networks: readonly NetworkFact[] = [];
  let instances: readonly InstanceFact[] = [];
  const acts: string[] = [];
  const decisions = createDecisionLog({
    store: shared,
    clock,
    random: Math.random,
    logger: silentLogger,
  });
  decisions.onDecision(({ act, outcome }) => outcome === "done" && acts.push(act));
  const self = { id: `node${n}`, address: `198.51.100.${n}` };
  const overlays = createOverlays({
    self,
    openStore: () => Promise.resolve({ ...shared, [Symbol.asyncDispose]: () => Promise.resolve() }),
    overlay: host.overlay,
    board: {
      ready: true,
      read: (): Facts => buildFacts(instances, { networks }),
      onChange(listener) {
        const tell = (): void => listener({ scopes: undefined, event: undefined });
        listeners.add(tell);
        return () => void listeners.delete(tell);
      },
    },
    decisions,
    tunnel: { tunnel: tunnel.tunnel, keys, port: 51_820, rotateMs: 30 * 86_400_000 },
    guard: { apply: () => Promise.resolve("same") },
    shortcuts: createShortcuts({ isOn: true }),
    readHosts: () => [],
    encrypts: false,
    pools: ["10.128.0.0/10", "fd66:6c76::/40"],
    port: 4789,
    listHostNetworks: () => [],
    paths: { list: () => [], settle: () => Promise.resolve(), onChange: () => () => undefined },
    readNodes: () => undefined,
    clock,
    logger: silentLogger,
    ...more,
  });
  const stopping = new AbortController();
  const running = overlays.run(stopping.signal);
  await settle("the store is known", () => overlays.problem === undefined);
  const tell = (): void => listeners.forEach((listener) => listener());
  return {
    overlays,
    clock,
    acts,
    host,
    tunnel,
    self,
    /** Makes the network as the actor would, and an instance on it whose address ends in `at`. */
    async join(network = NETWORK): Promise<NetworkIntent> {
      const made = await overlays.prepare(network);
      const { name, labels } = made;
      networks = [...networks, { id: name, name, driver: "bridge", labels }];
      tell();
      return made;
    },
    leave(name = NETWORK.name): void {
      networks = networks.filter((network) => network.name !== name);
      instances = [];
      tell();
    },
    run(id: string, mac: string, ...addresses: string[]): void {
      const endpoints = { [NETWORK.name]: { mac, addresses } };
      instances = [...instances, buildInstance({ id, name: id, endpoints })];
      tell();
    },
    end(id: string): void {
      instances = instances.filter((instance) => instance.id !== id);
      tell();
    },
    /** Entries of its device, as `TABLE KEY VALUE`. */
    entries: (device = "flv100000"): readonly string[] =>
      (host.devices.get(device)?.entries ?? []).map(({ table, key, value }) =>
        [table, key, value].join(" ").trim(),
      ),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}
