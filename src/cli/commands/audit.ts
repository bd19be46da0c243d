// SPDX-License-Identifier: Apache-2.0
import type { AuditLineView, AuditVerification } from "@fairlead/protocol/audit.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { formatCount, formatTime } from "#cli/format.ts";
import type { DocumentView, ListView } from "#cli/output.ts";
import type { Tone } from "#cli/style.ts";

function toneOf({ kind, outcome }: AuditLineView): Tone {
  if (kind === "refused" || outcome.startsWith("4")) return "warn";
  if (outcome === "failed" || outcome.startsWith("5") || kind === "audit") return "bad";
  return outcome === "asked" || outcome === "pending" ? "dim" : "plain";
}

function listLines(nowMs: number): ListView<AuditLineView> {
  return {
    name: ({ seq }) => String(seq),
    empty: "the audit log has no such line",
    columns: [
      { key: "seq", title: "LINE", value: ({ seq }) => String(seq) },
      { key: "time", title: "TIME", value: ({ atMs }) => formatTime(atMs, nowMs) },
      { key: "kind", title: "KIND", value: ({ kind }) => kind },
      { key: "actor", title: "WHO", value: ({ actor }) => actor },
      { key: "what", title: "WHAT", value: ({ what }) => what },
      { key: "outcome", title: "OUTCOME", value: ({ outcome }) => outcome, tone: toneOf },
      {
        key: "facts",
        title: "FACTS",
        value: ({ facts = {} }) =>
          Object.entries(facts)
            .map(([name, value]) => `${name}=${String(value)}`)
            .join(" "),
        wide: true,
      },
      { key: "hash", title: "HASH", value: ({ hash }) => hash.slice(0, 12), wide: true },
    ],
  };
}

const REPORT: DocumentView<AuditVerification> = {
  kind: "AuditVerification",
  name: ({ whole }) => (whole ? "whole" : "broken"),
  text: ({ whole, lines, first, findings, heads, publicKey }, style) => [
    whole
      ? style.paint(`the audit log is whole: ${formatCount(lines, "line")}`, "good")
      : style.paint(`the audit log is not as it was written: ${formatCount(lines, "line")}`, "bad"),
    ...(first > 1 && whole
      ? [`  ${style.mark("good")} older than line ${first}: removed, as the log itself says`]
      : []),
    ...findings.map(
      ({ file, line, text }) =>
        `  ${style.mark("bad")} ${file}${line === undefined ? "" : `:${line}`}  ${text}`,
    ),
    ...heads.map(
      ({ keeper, seq, ok, text }) =>
        `  ${style.mark(ok ? "good" : "bad")} ${keeper}${seq === undefined ? "" : ` (line ${seq})`}: ${text}`,
    ),
    style.paint(`  heads are signed with ${publicKey}`, "dim"),
  ],
};

/** `fairlead audit ls` and `fairlead audit verify`, which exits 1 when something was changed. */
export async function run(context: Context): Promise<number> {
  const { api, out, parsed } = context;
  if (parsed.arguments[0] === "verify") {
    const report = await api.call<AuditVerification>("GET", "audit/verification");
    await out.document(report, REPORT);
    return report.whole ? EXIT.ok : EXIT.no;
  }
  const lines = await api.list<AuditLineView>("audit", {
    kind: parsed.text("kind"),
    actor: parsed.text("actor"),
    sinceMs: parsed.timeMs("since"),
    untilMs: parsed.timeMs("until"),
    limit: Math.min(Math.max(parsed.count("limit") ?? 50, 1), 10_000),
  });
  await out.list(lines, listLines(Date.now()));
  return EXIT.ok;
}
