// SPDX-License-Identifier: Apache-2.0
// What one namespace's table has to be, from what is wanted there. Pure.
import { isIpv4, isIpv6 } from "#base/addresses.ts";
import type { BalancedService, BalanceSpace, BalanceTarget } from "./balancer.ts";
import { hashText } from "./hash-text.ts";

/** One service: its chain gives a new connection to one of the addresses, each as likely. */
export interface TableService {
  readonly key: string;
  readonly addresses: readonly string[];
  readonly targets4: readonly string[];
  readonly targets6: readonly string[];
}

/** A table as it is wanted: services by key, ascending; what is in the ranges and no service's is refused. */
export interface BalanceTable {
  readonly services: readonly TableService[];
  readonly ranges: readonly string[];
  /** Whether it is the host's, which refuses for containers too that have no table yet. */
  readonly isHost: boolean;
}

/**
 * The target that a caller keeps: the one with the highest hash of both. When one goes, only its callers move; when one
 * comes, only those move that it gets.
 */
export function chooseSticky(
  caller: string,
  targets: readonly BalanceTarget[],
): BalanceTarget | undefined {
  let best: { readonly target: BalanceTarget; readonly weight: number } | undefined;
  for (const target of targets) {
    const weight = hashText(`${caller} ${target.id}`);
    const isBetter =
      best === undefined ||
      weight > best.weight ||
      (weight === best.weight && target.id > best.target.id);
    if (isBetter) best = { target, weight };
  }
  return best?.target;
}

function planService(service: BalancedService, caller: string): TableService {
  const { key, addresses, sticky, targets } = service;
  const pick = (isFamily: (text: string) => boolean): readonly string[] => {
    const able = targets.filter((target) => target.addresses.some(isFamily));
    const one = sticky ? chooseSticky(caller, able) : undefined;
    const chosen = sticky ? (one === undefined ? [] : [one]) : able;
    return [...new Set(chosen.flatMap((target) => target.addresses.filter(isFamily)))].toSorted();
  };
  return {
    key,
    addresses: addresses.filter((text) => isIpv4(text) || isIpv6(text)).toSorted(),
    targets4: pick(isIpv4),
    targets6: pick(isIpv6),
  };
}

/** What stands in a namespace: the same for the same wishes in any order. */
export function planTable(space: BalanceSpace, ranges: readonly string[]): BalanceTable {
  const caller = space.own.toSorted()[0] ?? space.id;
  const byKey = new Map(space.services.map((one) => [one.key, planService(one, caller)]));
  const services = [...byKey.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
  return { services, ranges, isHost: space.pid === undefined };
}
