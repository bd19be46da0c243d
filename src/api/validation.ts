// SPDX-License-Identifier: Apache-2.0
import type { z } from "zod";
import { FairleadError } from "#base/errors.ts";
import { apiErrors } from "./errors.ts";

const TEXT_LENGTH_MAX = 300;

/** `body.intent.services[0].replicas` */
function writePath(where: string, path: readonly PropertyKey[]): string {
  let text = where;
  for (const step of path) {
    text += typeof step === "number" ? `[${step}]` : `.${String(step)}`;
  }
  return text.slice(0, TEXT_LENGTH_MAX);
}

/** The issue that says most: of a union, the deepest one of the branch that went furthest. */
function chooseIssue(issue: z.core.$ZodIssue): { path: readonly PropertyKey[]; message: string } {
  if (issue.code !== "invalid_union") return issue;
  const inner = issue.errors
    .flatMap((branch) => branch.slice(0, 1))
    .map(chooseIssue)
    .toSorted((one, other) => other.path.length - one.path.length)[0];
  if (inner === undefined || inner.path.length === 0) return issue;
  return { path: [...issue.path, ...inner.path], message: inner.message };
}

/** The error for input that a schema refused: the path of the first problem, and how many there are. */
export function refuseInvalid(where: string, error: z.core.$ZodError): FairleadError {
  const first = error.issues[0];
  const { path, message } =
    first === undefined ? { path: [], message: "not accepted" } : chooseIssue(first);
  const place = writePath(where, path);
  return new FairleadError(
    apiErrors["invalid-request"],
    `${place}: ${message.slice(0, TEXT_LENGTH_MAX)}`,
    { facts: { path: place, problems: error.issues.length } },
  );
}
