// SPDX-License-Identifier: Apache-2.0
import { FairleadError } from "#base/errors.ts";
import { wardenErrors } from "./errors.ts";

/** Answered with 403 and this reason. */
export function deny(reason: string): never {
  throw new FairleadError(wardenErrors["docker-denied"], reason);
}

/** Answered with 400. */
export function refuseForm(reason: string): never {
  throw new FairleadError(wardenErrors["docker-malformed"], reason);
}
