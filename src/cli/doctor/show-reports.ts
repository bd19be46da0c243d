// SPDX-License-Identifier: Apache-2.0
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { wrapItems } from "#cli/output.ts";
import { renderDoctor, type DoctorView, type Report } from "./render-doctor.ts";

/** Prints what checks found in the form that is asked for. Returns the exit code: 1 when one of them fails. */
export async function showReports(
  { out }: Context,
  reports: readonly Report[],
  view: Omit<DoctorView, "style">,
): Promise<number> {
  if (out.forPeople) {
    for (const line of renderDoctor(reports, { style: out.style, ...view })) out.line(line);
  } else if (!out.quiet) {
    await out.list(wrapItems("DoctorReport", reports), {
      columns: [],
      name: (item) => item.name,
      empty: "",
    });
  }
  return reports.some(({ verdict }) => verdict === "fail") ? EXIT.no : EXIT.ok;
}
