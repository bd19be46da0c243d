// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Why a network that spans hosts says no. */
export const networkErrors = defineErrors({
  "overlay-refused": {
    id: "FL1102",
    code: "unavailable",
    cause: "The kernel refused a device or an entry of a network that spans hosts",
    remedy: "see its words in the message, and the devices with `ip -d link show type vxlan`",
  },
  "overlay-taken": {
    id: "FL1103",
    code: "already_exists",
    cause: "Another device has the name or the VXLAN identifier of a network that spans hosts",
    remedy: "see it with `ip -d link show type vxlan`, and remove it if nobody needs it",
  },
  "tunnel-tools": {
    id: "FL1104",
    code: "failed_precondition",
    cause:
      "An encrypted network needs WireGuard, and this host lacks `wg`, or its kernel WireGuard and `wireguard-go` too",
    remedy:
      "install wireguard-tools, and wireguard-go where the kernel has no WireGuard; it needs /dev/net/tun",
  },
  "tunnel-refused": {
    id: "FL1105",
    code: "unavailable",
    cause: "The kernel or wireguard-go refused the device that encrypts what goes to other hosts",
    remedy: "see its words in the message, and the device with `wg show`",
  },
});
