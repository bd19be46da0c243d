// SPDX-License-Identifier: Apache-2.0
import type { Context } from "./context.ts";
import { findScope } from "./find-scope.ts";

/** The scope whose agents are meant: the one named, else the directory's, else `default`. */
export function findFabricScope(context: Context): string {
  const scope = findScope(context);
  return scope === undefined || scope === "" ? "default" : scope;
}
