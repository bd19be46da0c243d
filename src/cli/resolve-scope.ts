// SPDX-License-Identifier: Apache-2.0
import type { ServiceView } from "@fairlead/protocol/views.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "./context.ts";
import { cliErrors } from "./errors.ts";
import { findScope, needScope } from "./find-scope.ts";

/** Whether a name is the service's, or that of one of its instances: `web`, `web-2`, `shop-web-2`. */
function isNamed({ scope, name }: ServiceView, wanted: string): boolean {
  const bare = wanted.startsWith(`${scope}-`) ? wanted.slice(scope.length + 1) : wanted;
  return wanted === name || bare === name || bare.replace(/-\d+$/, "") === name;
}

/**
 * The scope to act on: the one named, else the directory's, else the only one that has all of these services, which are
 * the command's own words unless others are given. Throws FL0609 when that leaves none or several, with their names.
 */
export async function resolveScope(
  context: Context,
  names: readonly string[] = context.parsed.arguments,
): Promise<string> {
  const guessed = findScope(context);
  if ((guessed !== undefined && guessed !== "") || names.length === 0) return needScope(context);
  const { items } = await context.api.list<ServiceView>("services");
  const scopes = [...new Set(items.map(({ scope }) => scope))].filter((scope) =>
    names.every((name) => items.some((item) => item.scope === scope && isNamed(item, name))),
  );
  const [only] = scopes;
  if (only !== undefined && scopes.length === 1) return only;
  throw new FairleadError(
    cliErrors["no-scope"],
    only === undefined
      ? `no scope has ${names.join(" and ")}`
      : `${scopes.length} scopes have ${names.join(" and ")}`,
    only === undefined ? {} : { facts: { scopes: scopes.join(", ") } },
  );
}
