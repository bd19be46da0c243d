// SPDX-License-Identifier: Apache-2.0
// What policies come to for one instance: tables that a packet filter can look things up in, so that a packet costs the same
// whatever the number of rules. An address gives a class, class with protocol and port give the verdict.
import type { PolicyProtocol } from "#model/policy.ts";

/** Ports of one protocol, both ends included. */
export interface PortRange {
  readonly protocol: PolicyProtocol;
  readonly first: number;
  readonly last: number;
}

/** What peers of one class may do. */
export interface PortClass {
  /** Every protocol, those without ports too. */
  readonly everything: boolean;
  /** Disjoint and in order; ICMP has the range 0 to 0. */
  readonly ranges: readonly PortRange[];
}

/** Addresses of one class, both ends included; as numbers. */
export interface AddressRange {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
  readonly class: number;
}

/** One direction of an instance that is isolated in it. Who is in neither table may do nothing. */
export interface DirectionTable {
  readonly classes: readonly PortClass[];
  /** Looked up first: single addresses, as the kernel writes them. */
  readonly hosts: ReadonlyMap<string, number>;
  /** Looked up then: disjoint and in order, IPv4 first. */
  readonly blocks: readonly AddressRange[];
}

/** What holds for one instance; a direction that is absent is open. */
export interface VerdictTable {
  /** Names whose addresses may be called besides, once they were asked for; see `model/egress-names.ts`. */
  readonly names?: readonly string[];
  readonly ingress: DirectionTable | undefined;
  readonly egress: DirectionTable | undefined;
}

/** Nothing is isolated. */
export const OPEN: VerdictTable = { ingress: undefined, egress: undefined };
