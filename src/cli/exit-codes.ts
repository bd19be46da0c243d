// SPDX-License-Identifier: Apache-2.0
import type { FairleadError } from "#base/errors.ts";
import { cliErrors } from "./errors.ts";

/** What the process says when it ends; the same for every command and every `-o`. */
export const EXIT = {
  ok: 0,
  /** Worked, and the answer is no. */
  no: 1,
  usage: 2,
  /** Could not tell: unreachable, partial, unknown. */
  unknown: 3,
  /** Refused: permission, protected object, plan out of date. */
  refused: 4,
  timeout: 5,
  interrupted: 130,
  terminated: 143,
} as const;

const BY_CODE: Readonly<Record<FairleadError["code"], number>> = {
  canceled: EXIT.interrupted,
  invalid_argument: EXIT.usage,
  not_found: EXIT.usage,
  deadline_exceeded: EXIT.unknown,
  unavailable: EXIT.unknown,
  internal: EXIT.unknown,
  data_loss: EXIT.unknown,
  unimplemented: EXIT.unknown,
  already_exists: EXIT.refused,
  permission_denied: EXIT.refused,
  unauthenticated: EXIT.refused,
  resource_exhausted: EXIT.refused,
  failed_precondition: EXIT.refused,
  aborted: EXIT.refused,
};

/** Kinds whose exit code does not follow from their code. */
const BY_KIND: Readonly<Record<string, number>> = {
  [cliErrors["wait-expired"].id]: EXIT.timeout,
  [cliErrors["build-failed"].id]: EXIT.no,
  [cliErrors["not-removed"].id]: EXIT.no,
  [cliErrors["call-failed"].id]: EXIT.no,
  [cliErrors["call-expired"].id]: EXIT.timeout,
};

/** Whatever is wrong with a Compose file is bad input. */
const COMPOSE_ID = /^FL02/;

/** The exit code of an error. */
export function chooseExitCode(error: FairleadError): number {
  if (COMPOSE_ID.test(error.kind.id)) return EXIT.usage;
  return BY_KIND[error.kind.id] ?? BY_CODE[error.code];
}
