// SPDX-License-Identifier: Apache-2.0
// Errors as RFC 9457 problem documents: the same facts, cause and remedy that the CLI prints.
import type { Problem } from "@fairlead/protocol/views.ts";
import { HTTPException } from "hono/http-exception";
import { baseErrors, FairleadError, type Code } from "#base/errors.ts";
import { apiErrors } from "./errors.ts";

const STATUS: Readonly<Record<Code, number>> = {
  canceled: 499,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 409,
  aborted: 409,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  data_loss: 500,
  unauthenticated: 401,
};

/** Kinds for which HTTP has a better word than their code has. */
const STATUS_OF_KIND: Readonly<Record<string, number>> = {
  [apiErrors["method-not-allowed"].id]: 405,
  [apiErrors["body-too-large"].id]: 413,
  [apiErrors["unsupported-media-type"].id]: 415,
  [apiErrors["slow-request"].id]: 408,
};

/** The HTTP status of an error. */
function chooseStatus(error: FairleadError): number {
  return STATUS_OF_KIND[error.kind.id] ?? STATUS[error.code];
}

/** Any thrown value as the error to answer with. What was not foreseen keeps its text for the log only. */
export function convertThrown(thrown: unknown): FairleadError {
  if (thrown instanceof FairleadError) return thrown;
  if (thrown instanceof HTTPException) return convertHttpException(thrown);
  if (thrown instanceof Error && thrown.name === "AbortError") {
    return new FairleadError(baseErrors.aborted, "the caller went away", { cause: thrown });
  }
  return new FairleadError(baseErrors.internal, "the node could not answer; its log says more", {
    cause: thrown,
  });
}

function convertHttpException(thrown: HTTPException): FairleadError {
  if (thrown.status === 415) {
    return new FairleadError(
      apiErrors["unsupported-media-type"],
      "the content type of the body is missing or not one that this route reads",
    );
  }
  return new FairleadError(apiErrors["bad-json"], thrown.message || "the body cannot be read");
}

/** The document of an error. */
export function createProblem(error: FairleadError): Problem {
  return {
    type: `urn:fairlead:error:${error.kind.slug}`,
    title: error.kind.slug.replaceAll("-", " "),
    status: chooseStatus(error),
    detail: error.message,
    id: error.kind.id,
    slug: error.kind.slug,
    code: error.code,
    cause: error.kind.cause,
    remedy: error.remedy,
    facts: { ...error.facts },
    ...(error.location === undefined ? {} : { at: { ...error.location } }),
  };
}

/** The answer to a request that failed. */
export function respondWithProblem(error: FairleadError): Response {
  const problem = createProblem(error);
  const headers = new Headers({ "content-type": "application/problem+json" });
  if (problem.status === 401) headers.set("www-authenticate", 'Bearer realm="fairlead"');
  const afterMs = error.facts["retry after ms"];
  if (problem.status === 429)
    headers.set(
      "retry-after",
      typeof afterMs === "number" ? `${Math.ceil(afterMs / 1_000)}` : "60",
    );
  const allow = error.facts["allow"];
  if (problem.status === 405 && typeof allow === "string") headers.set("allow", allow);
  return new Response(`${JSON.stringify(problem)}\n`, { status: problem.status, headers });
}
