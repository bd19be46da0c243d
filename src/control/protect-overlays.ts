// SPDX-License-Identifier: Apache-2.0
// What stands around networks that span hosts: packet rules, by which only hosts of the fleet are heard, and the device that
// encrypts. Both are there before the networks are.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { GuardSpec, OverlayGuard } from "#network/overlay-guard.ts";
import type { OverlayAttachment } from "#network/overlay.ts";
import type { DecisionLog } from "./decision-log.ts";
import { describeGuardRepair } from "./describe-overlay-change.ts";
import type { OverlayPicture } from "./overlay-entries.ts";
import { createTunnels, type Tunnels, type TunnelsOptions } from "./tunnels.ts";

export interface ProtectionOptions {
  readonly self: TunnelsOptions["self"];
  readonly tunnel: Pick<TunnelsOptions, "tunnel" | "keys" | "port" | "rotateMs">;
  readonly guard: OverlayGuard;
  /** Addresses of all nodes of the fleet, as far as they are known. */
  readonly readHosts: () => readonly string[];
  readonly readNodes: TunnelsOptions["readNodes"];
  readonly picture: OverlayPicture;
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  readonly clock: Clock;
}

export interface Protection {
  readonly tunnels: Pick<Tunnels, "device" | "fact" | "key" | "planKey">;
  /**
   * Makes the device for an encrypted network, for which the engine is about to be asked. Throws FL1104 `tunnel-tools`,
   * FL1105 `tunnel-refused`.
   */
  expect(name: string, mtu: number): Promise<void>;
  /**
   * Makes both for these networks; returns why one of them is not as it should be. `isFromMemory`: packet rules that were
   * made so are taken to stand.
   */
  apply(
    all: readonly OverlayAttachment[],
    isFromMemory: boolean,
  ): Promise<FairleadError | undefined>;
  /** Looks at both, and makes them again for the networks of the last `apply`; returns the same. */
  repair(): Promise<FairleadError | undefined>;
}

/** How long the engine may take to make a network. */
const AWAITED_MS = 30_000;

const isEncrypted = ({ tunnel }: OverlayAttachment): boolean => tunnel !== undefined;

/** What packet rules have to know of networks. */
function describeGuard(
  all: readonly OverlayAttachment[],
  tunnel: string,
  hosts: readonly string[],
): GuardSpec {
  const known = all.flatMap(({ host, endpoints }) => [host, ...endpoints.map((one) => one.host)]);
  return {
    networks: all.map(({ network }) => network),
    encrypted: all.filter(isEncrypted).map(({ network }) => network.vni),
    tunnel,
    hosts: [...new Set([...hosts, ...known])].toSorted(),
  };
}

/** Makes the keeper; nothing is done before it is called. */
export function createProtection(options: ProtectionOptions): Protection {
  const { picture, guard, decisions, clock } = options;
  const tunnels = createTunnels({ ...options, ...options.tunnel });
  /** Encrypted networks that the engine was asked for and does not show yet. */
  const awaited = new Map<string, { readonly mtu: number; readonly untilMs: number }>();
  let present: readonly OverlayAttachment[] = [];
  /** What packet rules were made of last, while nothing went wrong. */
  let stands: string | undefined;
  let wanted: readonly OverlayAttachment[] = [];
  let last: Promise<unknown> = Promise.resolve();

  function encrypt(): Promise<void> {
    const nowMs = clock.monotonicMs();
    const expected = [...awaited.values()].filter(({ untilMs }) => untilMs > nowMs);
    const mtus = [...present.map(({ network }) => network.mtu), ...expected.map(({ mtu }) => mtu)];
    return tunnels.apply(picture, mtus);
  }

  async function watchOver(
    all: readonly OverlayAttachment[],
    isFromMemory: boolean,
  ): Promise<void> {
    const spec = describeGuard(all, tunnels.device, options.readHosts());
    if ((await guard.apply(spec, { isFromMemory })) !== "repaired") return;
    const action = describeGuardRepair(clock.nowMs());
    const decision = await decisions.begin(action, { scope: "", actor: "automatic" });
    await decisions.finish(decision, { outcome: "done", result: `${all.length} networks` });
  }

  /** For what is wanted when the turn comes. */
  function inTurn(isFromMemory: boolean): Promise<FairleadError | undefined> {
    const turn = last.then(() => protect(wanted, isFromMemory));
    last = turn;
    return turn;
  }

  async function protect(
    all: readonly OverlayAttachment[],
    isFromMemory: boolean,
  ): Promise<FairleadError | undefined> {
    present = all.filter(isEncrypted);
    for (const { network } of present) awaited.delete(network.name);
    try {
      // A host that has none of these networks needs no rules, and no program for them.
      await watchOver(all, isFromMemory).catch((thrown: unknown) => {
        if (all.length > 0) throw thrown;
      });
      await encrypt();
      return undefined;
    } catch (thrown) {
      return FairleadError.from(thrown);
    }
  }

  return {
    tunnels,
    async expect(name, mtu) {
      awaited.set(name, { mtu, untilMs: clock.monotonicMs() + AWAITED_MS });
      await encrypt();
    },
    async apply(all, isFromMemory) {
      wanted = all;
      const rules = JSON.stringify(describeGuard(all, tunnels.device, options.readHosts()));
      if (isFromMemory && rules === stands && !all.some(isEncrypted)) return undefined;
      const failure = await inTurn(isFromMemory);
      stands = failure === undefined ? rules : undefined;
      return failure;
    },
    repair: () => inTurn(false),
  };
}
