// SPDX-License-Identifier: Apache-2.0
import type { Guard, Ward } from "#guard/guard.ts";
import type { DirectionTable } from "#policy/verdict-table.ts";
import type { End, Ground } from "./ground.ts";

/** The ends that rules are about, on one bridge; addresses end in 1, 2 and 3. */
export interface Fixture {
  readonly ground: Ground;
  readonly guard: Guard;
  readonly web: End;
  readonly friend: End;
  readonly stranger: End;
  /** The same host as a guard sees it that has just been opened. */
  reopen(): Guard;
  /** Takes away what stands in an instance, as somebody with the rights to. */
  spoil(end: End): void;
  /** How much of ours is left on the host, or inside of an instance. */
  countLeft(end?: End): number;
}

/** Throws when the promise is not kept. */
export type Rule = (fixture: Fixture) => Promise<void>;

/** Peers at these addresses may do what is said; default TCP and UDP to 80. */
export function allow(
  addresses: readonly string[],
  ranges: DirectionTable["classes"][number]["ranges"] = (["TCP", "UDP"] as const).map(
    (protocol) => ({ protocol, first: 80, last: 80 }),
  ),
): DirectionTable {
  const hosts = new Map(addresses.map((address) => [address, 0] as const));
  return { classes: [{ everything: false, ranges }], hosts, blocks: [] };
}

/** An instance with what shall hold for it. */
export function toWard(
  { id, pid }: End,
  table: Partial<Ward["table"]>,
  mode: Ward["mode"] = "enforce",
): Ward {
  return { id, pid, mode, table: { ingress: undefined, egress: undefined, ...table } };
}
