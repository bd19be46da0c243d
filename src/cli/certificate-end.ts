// SPDX-License-Identifier: Apache-2.0
// When certificates end, as lists and checks say it.
import type { NodeView } from "@fairlead/protocol/node.ts";
import { formatDuration } from "#base/duration.ts";
import type { Tone } from "./style.ts";

/** A node renews when half an hour is left. */
export const NODE_LEFT_MS = 20 * 60_000;
const MINUTE_MS = 60_000;

/** How much is left, in minutes; empty when it is over. */
export function formatLeft(notAfterMs: number): string {
  const leftMs = notAfterMs - Date.now();
  return leftMs <= 0 ? "" : formatDuration(Math.ceil(leftMs / MINUTE_MS) * MINUTE_MS);
}

/** Whether it is over, or nearly, so that somebody should have renewed it. */
export function toneOfEnd(notAfterMs: number, enoughMs: number): Tone {
  const leftMs = notAfterMs - Date.now();
  if (leftMs <= 0) return "bad";
  return leftMs < enoughMs ? "warn" : "dim";
}

/** What is to be said of a node that others believe no more, or soon; one that is away has no reason to renew. Else empty. */
export function warnOfNode({
  state,
  certificateEndsMs: endsMs,
}: Pick<NodeView, "state" | "certificateEndsMs">): string {
  if (endsMs === undefined || state !== "alive" || toneOfEnd(endsMs, NODE_LEFT_MS) === "dim")
    return "";
  const left = formatLeft(endsMs);
  const said = left === "" ? "its certificate has ended" : `its certificate ends in ${left}`;
  return `${said} and was not renewed`;
}
