// SPDX-License-Identifier: Apache-2.0
// The face of the room: verdict tables in the kernel. What is wanted follows from policies; a driver makes it so, in the
// instance's own network namespace, where it holds whatever the network is.
import type { PolicyProtocol } from "#model/policy.ts";
import type { DirectionTable, VerdictTable } from "#policy/verdict-table.ts";

/** An instance that runs, as far as its network is concerned. */
export interface Place {
  /** Engine id of the container. */
  readonly id: string;
  /** Process id of its first process, as this host counts. */
  readonly pid: number;
}

/** An instance with what shall hold for it. */
export interface Ward extends Place {
  /**
   * With `watch` what the table denies is counted, and passes; with a table that denies nothing too. With `enforce` such a table holds
   * it to its own addresses alone: what it sends under another's IPv6 address is dropped, as with any table.
   */
  readonly mode: "watch" | "enforce";
  /** Holds it to its own addresses with `watch` too. */
  readonly asItself?: boolean;
  readonly table: VerdictTable;
}

/** An instance that may talk: its rules are in, or it has none to wait for. */
export interface Guest extends Place {
  /** Its places on bridges; who is connected to another has another port. */
  readonly ports: readonly GuestPort[];
  /** What it may call, which is held at its ports too, where its own capabilities do not reach. Undefined: everybody. */
  readonly calls?: GuestCalls;
}

/** What an instance may call. */
export interface GuestCalls {
  readonly egress: DirectionTable;
  readonly names?: readonly string[];
}

/** What an instance is on a bridge, as the engine says; it can send as nobody else there. */
export interface GuestPort {
  /** The bridge's device. */
  readonly bridge: string;
  readonly mac: string;
  /** IPv4 and IPv6. */
  readonly addresses: readonly string[];
}

/** A way past a bridge, for packets between its instances that are ready and those of other hosts. */
export interface Shortcut {
  readonly bridge: string;
  /** The bridge's port behind which the other hosts are. */
  readonly device: string;
  /** How often the device was made: another one of the same name is another. */
  readonly turn: number;
  /** MACs of those behind it; whoever has another goes over the bridge. */
  readonly macs: readonly string[];
}

/** Where nothing passes before an instance is ready, and where what is ready passes by. */
export interface GateOrder {
  /** The engine's bridges, by the names of their devices; those that are not there are passed over. */
  readonly bridges: readonly string[];
  /** Of all instances on them, and on bridges with a shortcut. */
  readonly ready: readonly Guest[];
  readonly shortcuts: readonly Shortcut[];
  /** Also look at what seems to be as wanted. */
  readonly look: boolean;
}

/** What became of an order. */
export interface GateResult {
  readonly protection: Protection;
  /** By bridge, how many instances have the shortcut. */
  readonly past: ReadonlyMap<string, number>;
  /** Why there is no shortcut although one was ordered: packets go over the bridges, and the gate is as ordered. */
  readonly withheld: string | undefined;
  /** Whose ports stay shut although they are ready, by id, and why: what shall hold for them cannot be held here. */
  readonly refused: ReadonlyMap<string, string>;
}

/** An address that an instance may call for some time, because it was told that a name that it may call has it. */
export interface Pin {
  readonly address: string;
  readonly seconds: number;
}

/** What was found when rules were made as wanted. `drifted`: they had been changed by somebody else. */
export type Protection = "unchanged" | "installed" | "drifted";

/** How far an instance is that the engine is just making. */
export interface Arrival {
  /** Of its first process, in whose network its program will run. */
  readonly pid: number;
  /** Whether it is on its networks; else rules can be made there, and it has no port yet. */
  readonly isConnected: boolean;
}

/** One conversation as an instance sees it: the other's address, the port of the one that is called. */
export interface Question {
  readonly direction: "ingress" | "egress";
  readonly address: string;
  readonly protocol: PolicyProtocol;
  /** 0 for ICMP. */
  readonly port: number;
}

/** Conversations of one kind that were begun with an instance or by it, as the kernel counts them. */
export interface Sight {
  readonly direction: "ingress" | "egress";
  /** `denied`: by the table; with `watch` it passed all the same. */
  readonly verdict: "allowed" | "denied";
  /** Of the other side. */
  readonly address: string;
  /** As nft calls it: `tcp`, `ipv6-icmp`. */
  readonly protocol: string;
  /** Of the one that is called. 0: the protocol has none, or there were too many to keep them apart. */
  readonly port: number;
  /** Of what is allowed only those that begin a conversation, of what is denied all. */
  readonly packets: number;
  /** Since the last of them, s. */
  readonly idleSeconds: number;
}

/** What stands in the kernel for one instance. */
export interface Installed {
  /** Whether what is denied is dropped. */
  readonly drops: boolean;
  /** Asks the tables that stand, not those that were wanted. A direction that is not isolated allows everything. */
  allows(question: Question): boolean;
  readonly denied: { readonly ingress: number; readonly egress: number };
  /** Of the last hour. */
  readonly sights: readonly Sight[];
  /** Packets that begin a conversation and were counted nowhere, as there were too many kinds. */
  readonly lost: number;
}

/** What became of a packet that was really sent. `unknown`: nothing can be concluded, and `detail` says why. */
export interface ProbeOutcome {
  readonly verdict: "allow" | "deny" | "unknown";
  readonly detail: string;
}

export interface GuardCallOptions {
  readonly signal?: AbortSignal;
}

/**
 * Packet filters of instances on this host. Safe for concurrent use; calls about one instance wait for each other. What it
 * has made stays when it is disposed of, and when the process is killed.
 */
export interface Guard {
  readonly kind: string;
  /** Whether `sights` tells conversations apart; else they are in `lost`. */
  readonly tellsApart: boolean;
  /**
   * Makes an instance's rules as wanted, all at once: no packet sees half of them. Looks at what stands, so that a second call
   * changes nothing. Throws FL1701 `guard-host-network`, FL1702 `guard-no-namespace`, and what netfilter throws; FL1705 `guard-unable`
   * when all of it is made but what it is about, which does not pass then.
   */
  protect(ward: Ward, options?: GuardCallOptions): Promise<Protection>;
  /**
   * Lets an instance that has names in its table call addresses for as long as said. Throws as `protect`, also when there
   * is no room for more, or its rules are not in yet, and FL1705 `guard-unable`.
   */
  admit(place: Place, pins: readonly Pin[]): Promise<void>;
  /**
   * Holds back all traffic of bridges but that of instances that are ready, what these send under another's MAC or address, and
   * what they may not call; without bridges everything passes again. Shortcuts are given to those that are ready and may call
   * anybody, for TCP and UDP that they send as themselves and that come for them; from all others they are taken before anything
   * else. Throws what netfilter throws, and FL1305, FL1306 for the devices; for a shortcut that cannot be made nothing.
   */
  gate(order: GateOrder): Promise<GateResult>;
  /**
   * Says each time which tables of what it made on the host were taken away, by others or by itself, until the signal aborts. Ends
   * early when nothing can tell, and may be asked again: then only a `gate` that looks finds it. A guard that has no way to be told
   * has no such method.
   */
  watchLosses?(signal: AbortSignal): AsyncIterable<readonly string[]>;
  /** Says who is there while their rules are made, so that the next `gate` need not look at the host first. */
  foresee?(guests: readonly Guest[]): void;
  /**
   * Waits for an instance that the engine is just making, before the engine says that it runs, and mostly before it does. Ends
   * once its network with these addresses is there, or when it does not come. A guard that judges by what an instance is able to do
   * once it runs has no such method.
   */
  awaitStart?(
    id: string,
    addresses: readonly string[],
    signal: AbortSignal,
  ): AsyncIterable<Arrival>;
  /** Takes the rules away; an instance that is gone, or has none, is done. True when there were any. */
  release(place: Place, options?: GuardCallOptions): Promise<boolean>;
  /** What stands for an instance; undefined when nothing does. Throws as `protect`. */
  inspect(place: Place, options?: GuardCallOptions): Promise<Installed | undefined>;
  /**
   * Sends a packet from inside an instance and sees what becomes of it. `target` is the one that is called, if it is on this
   * host: what it counts as denied tells more than silence.
   */
  probe(
    from: Place,
    to: Omit<Question, "direction">,
    target: Place | undefined,
    options?: GuardCallOptions,
  ): Promise<ProbeOutcome>;
}
