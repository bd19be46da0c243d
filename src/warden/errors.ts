// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Why the guarded Docker API says no. */
export const wardenErrors = defineErrors({
  "docker-denied": {
    id: "FL1901",
    code: "permission_denied",
    cause: "The request is not among what an agent may ask of the Docker API, or beyond its limits",
    remedy: "see docs/security.md for what is allowed; limits are in the label fairlead.docker",
  },
  "docker-malformed": {
    id: "FL1902",
    code: "invalid_argument",
    cause: "The request cannot be read in exactly one way",
    remedy: "send it as the Docker CLI does: one path without escapes, JSON without repeated keys",
  },
  "docker-no-such": {
    id: "FL1903",
    code: "not_found",
    cause: "There is no such object, or the agent did not make it",
    remedy: "list what there is with `docker ps -a`",
  },
  "docker-engine-away": {
    id: "FL1904",
    code: "unavailable",
    cause: "The engine does not answer the guarded Docker API",
    remedy: "see `fairlead doctor`, then try again",
  },
  "docker-busy": {
    id: "FL1905",
    code: "resource_exhausted",
    cause: "The agent has as many requests or containers as it may",
    remedy: "end some, or raise count in the label fairlead.docker",
  },
});
