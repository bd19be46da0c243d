// SPDX-License-Identifier: Apache-2.0
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { findScope } from "#cli/find-scope.ts";

/** `fairlead inspect`: JSON also for people, as `docker inspect` has it. */
export async function run(context: Context): Promise<number> {
  const { api, out, parsed } = context;
  const [object = ""] = parsed.arguments;
  const answer = await api.call<Record<string, unknown>>("GET", "inspect", {
    query: { object, scope: findScope(context) },
  });
  await out.document(answer, {
    kind: "Inspection",
    name: () => object,
    text: (item) => JSON.stringify(item, undefined, 2).split("\n"),
  });
  return EXIT.ok;
}
