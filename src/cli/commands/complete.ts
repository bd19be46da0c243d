// SPDX-License-Identifier: Apache-2.0
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { readNames } from "#cli/name-cache.ts";

/** `fairlead complete service|scope`: names from the cache; never asks the node, never fails. */
export async function run(context: Context): Promise<number> {
  const names = readNames(context);
  const scopes = context.parsed.arguments[0] === "scope";
  const wanted = scopes ? Object.keys(names) : Object.values(names).flat();
  for (const name of new Set(wanted)) process.stdout.write(`${name}\n`);
  return EXIT.ok;
}
