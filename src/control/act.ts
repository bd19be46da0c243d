// SPDX-License-Identifier: Apache-2.0
// One act on its way: what was decided, and under which decision.
import { FairleadError } from "#base/errors.ts";
import type { WriteOptions } from "#engine/engine.ts";
import type { PlannedAction } from "#model/action.ts";
import type { Intent } from "#model/intent.ts";
import { controlErrors } from "./errors.ts";

/** What is to be carried out. */
export interface Act {
  readonly action: PlannedAction;
  readonly intent: Intent;
  readonly write: WriteOptions;
  readonly onProgress: ((text: string) => void) | undefined;
}

/** What became of an act. */
export interface ActResult {
  readonly result: string;
  /** The container that the decision is about now. */
  readonly containerId?: string;
}

/** What an act of its kind always has. Throws `act-failed`. */
export function need<T>(value: T | undefined, what: string): T {
  if (value !== undefined) return value;
  throw new FairleadError(controlErrors["act-failed"], `the act lacks ${what}`);
}
