// SPDX-License-Identifier: Apache-2.0
import { FairleadError } from "#base/errors.ts";
import type { Context } from "./context.ts";
import { isGuessedScope } from "./find-scope.ts";
import { type Envelope, wrapItems } from "./output.ts";

const NO_SUCH_OBJECT = "FL0701";

/** A list of one scope; empty when the directory's project is one that the node does not know (yet). */
export async function listInScope<T>(
  context: Context,
  what: "instances" | "services",
  scope: string | undefined,
): Promise<Envelope<T>> {
  try {
    return await context.api.list<T>(what, { scope });
  } catch (thrown) {
    const unknown = thrown instanceof FairleadError && thrown.kind.id === NO_SUCH_OBJECT;
    if (!unknown || !isGuessedScope(context)) throw thrown;
    context.out.note(`this directory's project, ${scope}, is not up; -A shows all scopes`);
    return wrapItems(what === "instances" ? "InstanceList" : "ServiceList", []);
  }
}
