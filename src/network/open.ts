// SPDX-License-Identifier: Apache-2.0
// The only way to a driver.
import { createMemoryHost } from "./drivers/memory/driver.ts";
import { createVxlanOverlay, type VxlanOptions } from "./drivers/vxlan/driver.ts";
import { createWireguardTunnel, type WireguardOptions } from "./drivers/wireguard/driver.ts";
import type { Overlay } from "./overlay.ts";
import type { Tunnel } from "./tunnel.ts";

export type OverlayOptions =
  | ({ readonly kind: "vxlan" } & VxlanOptions)
  | { readonly kind: "memory"; readonly bridges: readonly string[] };

/** Opens the networks of this host; the caller disposes of them, which leaves what stands. */
export function openOverlay(options: OverlayOptions): Overlay {
  switch (options.kind) {
    case "vxlan":
      return createVxlanOverlay(options);
    case "memory":
      return createMemoryHost(options.bridges).overlay;
    default:
      return options satisfies never;
  }
}

/** Opens the device of this host that encrypts; the caller disposes of it, which leaves what stands. */
export function openTunnel(options: WireguardOptions = {}): Tunnel {
  return createWireguardTunnel(options);
}
