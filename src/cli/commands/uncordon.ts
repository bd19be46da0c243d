// SPDX-License-Identifier: Apache-2.0
import type { Context } from "#cli/context.ts";
import { markNode } from "#cli/mark-node.ts";

/** `fairlead uncordon NODE` */
export function run(context: Context): Promise<number> {
  return markNode(context, "uncordon");
}
