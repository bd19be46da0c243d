// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { findScope } from "#cli/find-scope.ts";
import { parsePolicies, type PolicyFile } from "#policy/parse-policies.ts";

/** Reads a file of policies, `-` for stdin. Throws FL0608 when it cannot be read, and what `parsePolicies` throws. */
export function readPolicyFile(context: Context, path: string): PolicyFile {
  let text: string;
  try {
    text = readFileSync(path === "-" ? 0 : resolve(context.cwd, path), "utf8");
  } catch (cause) {
    const because = cause instanceof Error ? cause.message : String(cause);
    throw new FairleadError(cliErrors["unreadable-file"], `cannot read ${path}`, {
      cause,
      facts: { because },
    });
  }
  return parsePolicies(text, { file: path, scope: findScope(context) });
}
