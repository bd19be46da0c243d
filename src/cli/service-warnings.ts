// SPDX-License-Identifier: Apache-2.0
import type { Diagnostic } from "@fairlead/protocol/intent.ts";
import type { ServiceView } from "@fairlead/protocol/views.ts";
import type { Output } from "./output.ts";
import { formatLocation } from "./print-error.ts";
import { makePrintable } from "./printable.ts";

/** `warning FL0210 unknown-label compose.yaml:7:9: … (did you mean fairlead.heal?)` */
export function renderDiagnostic(diagnostic: Diagnostic, paint: (text: string) => string): string {
  const { severity, id, slug, message, hint, at } = diagnostic;
  const place = at === undefined ? "" : ` ${formatLocation(at)}`;
  const advice = hint === undefined ? "" : ` (${hint})`;
  return `${paint(severity)} ${id} ${slug}${place}: ${makePrintable(message)}${advice}`;
}

/** Warnings stand where the answer stands. */
export function printServiceWarnings(out: Output, services: readonly ServiceView[]): void {
  for (const service of services) {
    for (const warning of service.warnings) {
      out.warn(
        `${service.name}: ${renderDiagnostic(warning, (text) => out.noteStyle.paint(text, "warn"))}`,
      );
    }
  }
}
