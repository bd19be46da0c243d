// SPDX-License-Identifier: Apache-2.0
// The face of the room: networks that span hosts, on each of which the engine has a plain bridge for them. What a host
// has to know stands in the store; a driver makes this host as it is wanted.

/** A network that spans hosts; the same on all of them. */
export interface OverlayNetwork {
  /** As the engine calls it. */
  readonly name: string;
  /** VXLAN network identifier, 1 to 2^24 - 1. */
  readonly vni: number;
  /** UDP port on which hosts take packets of the network. */
  readonly port: number;
  /** The largest packet inside, bytes. */
  readonly mtu: number;
}

/** Something with addresses on a network: an instance, or the bridge of a host. */
export interface OverlayEndpoint {
  /** Address of the host it is on, as other hosts reach it. */
  readonly host: string;
  /** `02:42:0a:4d:00:02` */
  readonly mac: string;
  /** IPv4 and IPv6 addresses inside. */
  readonly addresses: readonly string[];
}

/** One network as it is wanted on this host. */
export interface OverlayAttachment {
  readonly network: OverlayNetwork;
  /** Address of this host, as other hosts reach it. */
  readonly host: string;
  /** The engine's bridge for the network. */
  readonly bridge: string;
  /** The device by which packets to other hosts are encrypted; undefined for a network whose packets are not. */
  readonly tunnel: string | undefined;
  /** All there are, on this host too. */
  readonly endpoints: readonly OverlayEndpoint[];
}

/**
 * `forward`: to which host packets for a MAC go. `bridge`: that a MAC is behind the device. `neighbour`: which MAC an
 * address has, which is what the device answers when a container asks for it.
 */
export type EntryTable = "forward" | "bridge" | "neighbour";

/**
 * One entry of a device's tables: key and value are MAC and host, MAC and nothing, address and MAC. Where packets are
 * encrypted, the host is `198.51.100.2 via DEVICE`: without, they would go in clear.
 */
export interface OverlayEntry {
  readonly table: EntryTable;
  readonly key: string;
  readonly value: string;
}

/** A device for a network as it stands on this host. */
export interface OverlayFact {
  readonly network: OverlayNetwork;
  readonly device: string;
  readonly host: string;
  /** The bridge it is a port of. */
  readonly bridge: string | undefined;
  /** The device to which it is bound: it goes when that goes. */
  readonly tunnel: string | undefined;
  /** What can only be given to it when it is made is as it has to be: it learns nothing and answers for others. */
  readonly sound: boolean;
  /** What can be set at any time is as it has to be: up, and a port that learns and floods nothing. */
  readonly set: boolean;
  readonly entries: readonly OverlayEntry[];
}

/** One difference between what is wanted and what is there, and what is done about it. */
export type OverlayChange =
  | {
      readonly kind: "make" | "set";
      readonly device: string;
      readonly attachment: OverlayAttachment;
    }
  | { readonly kind: "remove"; readonly device: string; readonly network: string }
  | { readonly kind: "add" | "drop"; readonly device: string; readonly entry: OverlayEntry };

export interface OverlayCallOptions {
  readonly signal?: AbortSignal;
}

export interface OverlayApplyOptions extends OverlayCallOptions {
  /**
   * Where only endpoints differ from the call before, what that left is taken for what stands: the host is not looked at,
   * which is quicker, and what drifted waits for the next call without this.
   */
  readonly isFromMemory?: boolean;
}

/**
 * The networks of this host that span hosts. Safe for concurrent use: one call waits for the other. Nothing that another
 * made is changed or removed; a device is its own by the mark that it bears, not by its name alone.
 */
export interface Overlay extends AsyncDisposable {
  readonly kind: string;
  /** What of its own stands on this host. Throws FL1305 `ip-tools`, FL1306 `ip-refused`. */
  observe(options?: OverlayCallOptions): Promise<readonly OverlayFact[]>;
  /**
   * Makes the host as it is wanted, networks that are not named removed, and touches only what differs. Returns what it
   * changed: nothing, when called again. Where a part fails, the others are done and the first failure is thrown:
   * FL1102 `overlay-refused`, FL1103 `overlay-taken`; the next call goes on from what is there. A bridge that is not
   * there is no failure of others.
   */
  apply(
    wanted: readonly OverlayAttachment[],
    options?: OverlayApplyOptions,
  ): Promise<readonly OverlayChange[]>;
  /**
   * Looks at the host, and makes it again as the last `apply` wanted it. Returns what had drifted. No `apply` waits for the
   * looking; where one changed the host meanwhile, it looks again, and leaves it after a few times. Nothing before the
   * first `apply`, and after one that failed. Throws as `apply`.
   */
  repair(options?: OverlayCallOptions): Promise<readonly OverlayChange[]>;
}
