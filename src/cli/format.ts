// SPDX-License-Identifier: Apache-2.0
// Times and ports as people read them.
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { InstanceView } from "@fairlead/protocol/views.ts";
import { formatDuration } from "#base/duration.ts";

/** `10:38:22` on the clock of whoever reads; with the date when it was another day. */
export function formatTime(atMs: number, nowMs: number): string {
  const at = new Date(atMs);
  const two = (value: number) => String(value).padStart(2, "0");
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  if (at.toDateString() === new Date(nowMs).toDateString()) return time;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

/** `3m20s`, or empty when it is not known. */
export function formatAge(sinceMs: number | undefined, nowMs: number): string {
  return sinceMs === undefined || sinceMs === 0 ? "" : formatDuration(nowMs - sinceMs);
}

/** `127.0.0.1:8080->80/tcp`; the same port on every address once. */
export function formatPorts(ports: InstanceView["ports"]): string {
  const texts = ports.map((port) => {
    const inside = `${port.containerPort}/${port.protocol}`;
    if (port.hostPort === 0) return inside;
    const everywhere = ["", "0.0.0.0", "::"].includes(port.hostIp);
    const ip = port.hostIp.includes(":") ? `[${port.hostIp}]` : port.hostIp;
    return `${everywhere ? "" : `${ip}:`}${port.hostPort}->${inside}`;
  });
  return [...new Set(texts)].join(", ");
}

/** `3 services`, `1 service`. */
export function formatCount(count: number, noun: string): string {
  const plural = noun.endsWith("y") ? `${noun.slice(0, -1)}ies` : `${noun}s`;
  return `${count} ${count === 1 ? noun : plural}`;
}

/** `0.42ms`, `31ms`: there and back. */
export function formatRtt(rttMs: number): string {
  return `${rttMs.toFixed(rttMs < 10 ? 2 : 0)}ms`;
}

/** Acts of a whole fleet, which one of its nodes does for all. */
const OF_FLEET = /^(?:service\.place|node\.|token\.)/;

/** ` on h2`: where it was done; ` (by h2)`, when that is no matter. Empty for a decision of the node that was asked. */
export function formatWhere({ act, node }: Pick<Decision, "act" | "node">): string {
  if (node === undefined) return "";
  return OF_FLEET.test(act) ? ` (by ${node})` : ` on ${node}`;
}
