// SPDX-License-Identifier: Apache-2.0
import { isIPv4 } from "node:net";
import { FairleadError } from "#base/errors.ts";
import { discoveryErrors } from "#discovery/errors.ts";

export interface MulticastOptions {
  /** Name of this node or agent among the others; two with one name are taken for one that started anew. */
  readonly sender: string;
  /** Secret that all hosts have, 16 bytes or more. Who does not have it is neither heard nor believed. */
  readonly secret: Uint8Array;
  /** Default 239.255.71.17, which stays within an organisation. */
  readonly group?: string;
  /** Default 7118. */
  readonly port?: number;
  /** IPv4 address of the interface to use; by default the one that the route to the group leads to. */
  readonly interfaceAddress?: string;
  /** Routers that a datagram may pass, plus one. Default 1: it stays in the network. */
  readonly hops?: number;
  /** What is promised to the others: after twice as long in silence one is gone. 100 to 60,000, default 5,000. */
  readonly heartbeatMs?: number;
  /** How far apart the clocks of two hosts may be; older datagrams are never believed. Default 30,000. */
  readonly skewMsMax?: number;
  /** Datagrams a second of one source; more are dropped unread. Default 2,000. */
  readonly datagramsPerSecondMax?: number;
  /** Understands `HEARTBEAT|service|address` too, which proves nothing, and puts it into this scope. Default: not. */
  readonly plainScope?: string;
}

export type CheckedOptions = Required<Omit<MulticastOptions, "plainScope" | "interfaceAddress">> &
  Pick<MulticastOptions, "plainScope" | "interfaceAddress">;

const SECRET_BYTES_MIN = 16;
const SENDER_BYTES_MAX = 63;

function isBetween(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

/** Fills in the defaults. Throws `multicast-option` for what may not be. */
export function checkOptions(options: MulticastOptions): CheckedOptions {
  const checked: CheckedOptions = {
    group: "239.255.71.17",
    port: 7_118,
    hops: 1,
    heartbeatMs: 5_000,
    skewMsMax: 30_000,
    datagramsPerSecondMax: 2_000,
    ...options,
  };
  const first = Number(checked.group.split(".")[0]);
  const senderBytes = Buffer.byteLength(checked.sender);
  const iface = checked.interfaceAddress;
  const rules: readonly (readonly [boolean, string])[] = [
    [isBetween(senderBytes, 1, SENDER_BYTES_MAX), "sender must have 1 to 63 bytes"],
    [checked.secret.length >= SECRET_BYTES_MIN, "secret must have 16 bytes or more"],
    [
      isIPv4(checked.group) && isBetween(first, 224, 239),
      "group must be an IPv4 multicast address",
    ],
    [isBetween(checked.port, 1, 65_535), "port must be 1 to 65535"],
    [iface === undefined || isIPv4(iface), "interfaceAddress must be an IPv4 address"],
    [isBetween(checked.hops, 0, 255), "hops must be 0 to 255"],
    [isBetween(checked.heartbeatMs, 100, 60_000), "heartbeatMs must be 100 to 60000"],
    [isBetween(checked.skewMsMax, 1_000, 3_600_000), "skewMsMax must be 1000 to 3600000"],
    [
      isBetween(checked.datagramsPerSecondMax, 1, 1_000_000),
      "datagramsPerSecondMax must be 1 or more",
    ],
  ];
  for (const [good, message] of rules)
    if (!good) throw new FairleadError(discoveryErrors["multicast-option"], message);
  return checked;
}
