// SPDX-License-Identifier: Apache-2.0
import type { NodeEvent } from "@fairlead/protocol/views.ts";
import { formatDuration } from "#base/duration.ts";
import { formatTime, formatWhere } from "./format.ts";
import { makePrintable } from "./printable.ts";
import { type Style, toneOfOutcome, toneOfService } from "./style.ts";

function tellNode(node: string | undefined): string {
  return node === undefined ? "" : ` on ${node}`;
}

function describe(event: NodeEvent, style: Style): string {
  if (event.kind === "decision") {
    const { durationMs, id, outcome, title, trigger } = event.decision;
    const took = durationMs === undefined ? "" : ` in ${formatDuration(durationMs)}`;
    return `${style.paint(outcome, toneOfOutcome(outcome))}  ${title}${formatWhere(event.decision)}${took}: ${trigger.detail}  ${id}`;
  }
  if (event.kind === "service") {
    const { name, reason, running, scope, state, wanted } = event.service;
    const why = reason === "" ? "" : `: ${reason}`;
    return `${style.paint(state, toneOfService(state))}  ${scope}/${name} ${running}/${wanted}${why}`;
  }
  if (event.kind === "engine") return `${event.action}  ${event.object}${tellNode(event.node)}`;
  if (event.kind === "alert") {
    const word = event.resolved ? style.paint("resolved", "good") : style.paint("alert", "bad");
    return `${word}  ${event.alert.name}: ${event.alert.message}${tellNode(event.alert.node)}`;
  }
  return style.paint("some events were lost here; what follows is whole again", "warn");
}

/** One event on one line. */
export function renderEvent(event: NodeEvent, style: Style, nowMs: number): string {
  const text = `${formatTime(event.atMs, nowMs)}  ${event.kind.padEnd(8)}  ${describe(event, style)}`;
  return style.plain(
    text
      .split("\u001b")
      .map((part, at) => (at === 0 ? makePrintable(part) : part))
      .join("\u001b"),
  );
}
