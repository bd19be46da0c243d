// SPDX-License-Identifier: Apache-2.0
// Encryption between hosts: one device on each, through which the packets of encrypted networks go. It takes a packet only
// from the host whose key it was encrypted with, and none goes out that is not encrypted.

/** Another host. */
export interface TunnelPeer {
  /** 32 bytes in base64. */
  readonly publicKey: string;
  /** The host's address; no other may use it. Undefined for a key that the host has not changed to yet. */
  readonly address: string | undefined;
  /** Where it takes encrypted packets. */
  readonly endpoint: { readonly address: string; readonly port: number };
}

/** The device as it is wanted. */
export interface TunnelSpec {
  /** Its name, see `nameTunnel`. */
  readonly device: string;
  /** Address of this host, as other hosts reach it. */
  readonly host: string;
  /** UDP port on which it takes encrypted packets. */
  readonly port: number;
  /** The largest packet that goes in, bytes. */
  readonly mtu: number;
  /** File with this host's private key; it is read by the kernel's tool, and never stands in a command. */
  readonly keyFile: string;
  /** The public half of it. */
  readonly publicKey: string;
  readonly peers: readonly TunnelPeer[];
}

/** Another host as the device knows it. */
export interface TunnelPeerFact {
  readonly publicKey: string;
  readonly address: string | undefined;
  /** `198.51.100.2:51820`, where it was last heard. */
  readonly endpoint: string | undefined;
  /** When the two last agreed on a key for packets, milliseconds since 1970. */
  readonly handshakeAtMs: number | undefined;
  readonly sentBytes: number;
}

/** The device as it stands. */
export interface TunnelFact {
  readonly device: string;
  /** Who encrypts. */
  readonly way: "kernel" | "wireguard-go";
  readonly publicKey: string;
  readonly port: number;
  readonly mtu: number;
  /** Up, marked as ours, with its address and the rule by which what is sent through it finds its way. */
  readonly set: boolean;
  readonly peers: readonly TunnelPeerFact[];
  /** Addresses of hosts that are reached through it. */
  readonly routes: readonly string[];
}

/** One difference, and what is done about it. */
export type TunnelChange =
  | { readonly kind: "make" | "set" | "remove"; readonly device: string }
  | { readonly kind: "peer"; readonly peer: TunnelPeer }
  | { readonly kind: "unpeer"; readonly publicKey: string }
  | { readonly kind: "route" | "unroute"; readonly address: string };

/** What was done. */
export interface TunnelTurn {
  readonly changes: readonly TunnelChange[];
  readonly fact: TunnelFact;
}

export interface TunnelCallOptions {
  readonly signal?: AbortSignal;
}

/** The device of this host. Safe for concurrent use: one call waits for the other. What another made is left. */
export interface Tunnel extends AsyncDisposable {
  readonly kind: string;
  /** Undefined when there is none. Throws FL1104 `tunnel-tools`, FL1105 `tunnel-refused`. */
  observe(device: string, options?: TunnelCallOptions): Promise<TunnelFact | undefined>;
  /**
   * Makes it as it is wanted, and touches only what differs; connections through it go on. Returns what it changed, which
   * is nothing when called again, and the device as it stands then. Throws FL1104 `tunnel-tools`, FL1105 `tunnel-refused`.
   */
  apply(spec: TunnelSpec, options?: TunnelCallOptions): Promise<TunnelTurn>;
  /** Removes it; false when there was none. */
  remove(device: string, options?: TunnelCallOptions): Promise<boolean>;
}
