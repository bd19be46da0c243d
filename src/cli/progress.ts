// SPDX-License-Identifier: Apache-2.0
// What is under way, on stderr: a live region on a terminal, one line a change elsewhere.
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { ScopeView, ServiceView } from "@fairlead/protocol/views.ts";
import { formatDuration } from "#base/duration.ts";
import { formatCount, formatWhere } from "./format.ts";
import type { Output } from "./output.ts";
import { makePrintable } from "./printable.ts";
import { type Style, toneOfOutcome, toneOfService } from "./style.ts";

export interface Progress {
  showScope(view: ScopeView): void;
  showDecision(decision: Decision): void;
  /** Removes the live region; further lines stay. */
  end(): void;
}

function renderService(service: ServiceView, style: Style): string {
  const tone = toneOfService(service.state);
  const why = service.reason === "" ? "" : `  ${makePrintable(service.reason)}`;
  const count = `${service.running}/${service.wanted}`;
  return `${style.paint(style.mark(tone), tone)} ${service.name.padEnd(20)} ${count.padStart(7)} ${service.state.padEnd(11)}${why}`;
}

function renderDecision(decision: Decision, style: Style): string {
  const tone = toneOfOutcome(decision.outcome);
  const took = decision.durationMs === undefined ? "" : ` ${formatDuration(decision.durationMs)}`;
  const result = decision.outcome === "failed" ? `: ${makePrintable(decision.result ?? "")}` : "";
  const what = makePrintable(`${decision.title}${formatWhere(decision)}`);
  return `${style.paint(style.mark(tone), tone)} ${what}${took}${result}`;
}

function createQuietProgress(): Progress {
  return { showScope: () => undefined, showDecision: () => undefined, end: () => undefined };
}

function createJsonProgress(): Progress {
  const write = (value: unknown) => process.stderr.write(`${JSON.stringify(value)}\n`);
  return {
    showScope: ({ scope, settled }) => write({ kind: "scope", scope, settled }),
    showDecision: (decision) => write({ kind: "decision", decision }),
    end: () => undefined,
  };
}

function createPlainProgress(out: Output): Progress {
  const shown = new Map<string, string>();
  return {
    showScope(view) {
      for (const service of view.services) {
        const state = `${service.state} ${service.running}/${service.wanted}`;
        if (shown.get(service.name) === state) continue;
        shown.set(service.name, state);
        out.note(renderService(service, out.noteStyle));
      }
    },
    showDecision(decision) {
      if (decision.outcome !== "pending") out.note(renderDecision(decision, out.noteStyle));
    },
    end: () => undefined,
  };
}

/** Cuts a painted line to the terminal's width, so that the region's height is what was counted. */
function cut(text: string, columns: number): string {
  let width = 0;
  let kept = "";
  // oxlint-disable-next-line no-control-regex -- colours take no width
  for (const part of text.split(/(\u001b\[[0-9;]*m)/)) {
    if (part.startsWith("\u001b")) kept += part;
    else {
      const rest = part.slice(0, Math.max(0, columns - 1 - width));
      kept += rest;
      width += rest.length;
    }
  }
  return kept;
}

/** The services that fit, the restless first; the rest as a count. */
export function foldServices(view: ScopeView, rows: number, style: Style): string[] {
  const calm = (service: ServiceView) => (toneOfService(service.state) === "good" ? 1 : 0);
  const sorted = [...view.services].sort((a, b) => calm(a) - calm(b));
  const shown = sorted.length <= rows ? view.services : sorted.slice(0, rows - 1);
  const folded = view.services.length - shown.length;
  const rest = folded === 0 ? [] : [`  and ${formatCount(folded, "more service")}`];
  return [...shown.map((service) => renderService(service, style)), ...rest];
}

function createLiveProgress(out: Output): Progress {
  let height = 0;
  let shown = "";
  const clear = () => {
    if (height > 0) process.stderr.write(`\u001b[${height}A\u001b[J`);
    height = 0;
  };
  return {
    showScope(view) {
      const rows = Math.max(1, (process.stderr.rows ?? out.terminal.rows) - 3);
      const columns = process.stderr.columns ?? out.terminal.columns;
      const lines = foldServices(view, rows, out.noteStyle).map((line) =>
        cut(out.noteStyle.plain(line), columns),
      );
      const text = lines.map((line) => `${line}\n`).join("");
      if (text === shown && height > 0) return;
      clear();
      process.stderr.write(text);
      shown = text;
      height = lines.length;
    },
    showDecision(decision) {
      if (decision.outcome !== "failed") return;
      clear();
      out.note(renderDecision(decision, out.noteStyle));
    },
    end: () => (height = 0),
  };
}

/** The progress that the terminal and the flags allow. */
export function createProgress(out: Output): Progress {
  const { progress } = out.terminal;
  if (out.quiet || progress === "quiet") return createQuietProgress();
  if (progress === "json") return createJsonProgress();
  return progress === "tty" ? createLiveProgress(out) : createPlainProgress(out);
}
