// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Plan } from "@fairlead/protocol/decision.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "./context.ts";
import { cliErrors } from "./errors.ts";

function refuse(path: string, because: string, cause?: unknown): FairleadError {
  return new FairleadError(cliErrors["unreadable-file"], `${path} is not a plan`, {
    cause,
    facts: { because },
    remedy: "make one with `fairlead plan -o json > FILE`",
  });
}

function parse(path: string, text: string): unknown {
  try {
    const document: unknown = JSON.parse(text);
    const wrapped = typeof document === "object" && document !== null && "items" in document;
    return wrapped && Array.isArray(document.items) ? document.items[0] : document;
  } catch (thrown) {
    throw refuse(path, thrown instanceof Error ? thrown.message : String(thrown), thrown);
  }
}

/** The plan that --plan names, or undefined without the flag. Throws FL0608 when it is not one. */
export async function readPlanFile(context: Context): Promise<Plan | undefined> {
  const named = context.parsed.text("plan");
  if (named === undefined) return undefined;
  const path = resolve(context.cwd, named);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (thrown) {
    throw new FairleadError(cliErrors["unreadable-file"], `cannot read the plan ${path}`, {
      cause: thrown,
      facts: { because: thrown instanceof Error ? thrown.message : String(thrown) },
    });
  }
  const { Plan: PlanSchema } = await import("@fairlead/protocol/decision.ts");
  const parsed = PlanSchema.safeParse(parse(path, text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw refuse(
    path,
    `${issue?.path.join(".") || "the document"}: ${issue?.message ?? "is not a plan"}`,
  );
}
