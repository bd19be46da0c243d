// SPDX-License-Identifier: Apache-2.0
import { formatDuration } from "#base/duration.ts";
import { formatCount, formatTime } from "#cli/format.ts";
import type { Style, Tone } from "#cli/style.ts";
import type { Check, Finding, Verdict } from "./check.ts";
import type { Silence } from "./silences.ts";

/** One line of the answer, for programs too. */
export interface Report extends Omit<Finding, "kind" | "factObjects"> {
  readonly group: Check["group"];
  readonly name: string;
  readonly id?: string;
  readonly slug?: string;
  /** What follows from it. */
  readonly so?: string;
  readonly try?: string;
}

export interface DoctorView {
  readonly style: Style;
  /** Only what is wrong, and versions. */
  readonly short: boolean;
  readonly tookMs: number;
  readonly versions: string;
  /** In force, whether they silenced something or not. */
  readonly silences: readonly Silence[];
  readonly nowMs: number;
}

const TONE: Readonly<Record<Verdict, Tone>> = {
  ok: "good",
  warn: "warn",
  fail: "bad",
  missing: "dim",
  unknown: "dim",
  silenced: "dim",
};

function renderTrouble(report: Report, style: Style): string[] {
  const tone = TONE[report.verdict];
  const sign = style.paint(style.mark(tone), tone);
  if (report.id === undefined) return [`  ${sign} ${report.text}`];
  return [
    `  ${sign} ${report.id} ${report.slug}   ${report.text}`,
    ...(report.facts ?? []).map((fact) => `      ${fact}`),
    ...(report.verdict === "missing"
      ? []
      : [
          `      so: ${report.so}`,
          `      try: ${report.try}`,
          `      more: fairlead explain ${report.id}`,
        ]),
  ];
}

function worst(reports: readonly Report[]): Verdict {
  const order: readonly Verdict[] = ["fail", "warn", "missing", "unknown"];
  return order.find((verdict) => reports.some((report) => report.verdict === verdict)) ?? "ok";
}

function renderGroup(group: string, reports: readonly Report[], view: DoctorView): string[] {
  const { short, style } = view;
  const bad = reports.filter((report) => report.verdict !== "ok" && report.verdict !== "silenced");
  const serious = bad.filter((report) => report.verdict === "fail" || report.verdict === "warn");
  if (short) return serious.flatMap((report) => renderTrouble(report, style));
  const good = reports.filter((report) => report.verdict === "ok").map((report) => report.text);
  const tone = TONE[worst(reports)];
  const facts = good.length === 0 ? "" : ` (${good.join(", ")})`;
  const head = `${group.padEnd(8)} ${style.paint(style.mark(tone), tone)} ${formatCount(reports.length, "check")}${facts}`;
  return [head, ...bad.flatMap((report) => renderTrouble(report, style))];
}

/** `FL0857=vxlan until 2026-11-25 10:00:00`. */
function renderSilences({ silences, nowMs }: DoctorView): string {
  if (silences.length === 0) return "";
  const texts = silences.map(({ id, object, untilMs }) => {
    const until = untilMs === undefined ? "this time" : `until ${formatTime(untilMs, nowMs)}`;
    return `${id}=${object} ${until}`;
  });
  return `; silenced ${texts.join(", ")}`;
}

/** The report as people read it. */
export function renderDoctor(reports: readonly Report[], view: DoctorView): string[] {
  const groups = Map.groupBy(reports, (report) => report.group);
  const count = (verdict: Verdict) => reports.filter((report) => report.verdict === verdict).length;
  const sum = `${reports.length} checked, ${count("ok")} ok, ${formatCount(count("warn"), "warning")}, ${count("fail")} failed, ${count("missing")} missing, ${count("unknown")} not testable`;
  return [
    ...[...groups].flatMap(([group, members]) => renderGroup(group, members, view)),
    ...(view.short ? [view.versions] : []),
    `${sum} (${formatDuration(view.tookMs)})${renderSilences(view)}`,
  ];
}
