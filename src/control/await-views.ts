// SPDX-License-Identifier: Apache-2.0
// What a node of a fleet says of a scope is all of it, or that it does not know it yet: whoever asks goes by it.
import { NOT_READ } from "@fairlead/protocol/not-read.ts";
import { FairleadError } from "#base/errors.ts";
import { controlErrors } from "./errors.ts";
import type { OperationsOptions } from "./operations-options.ts";

/** How long a request waits for an engine that does not answer. */
export const ENGINE_PATIENCE_MS = 3_000;

type Parts = Pick<OperationsOptions, "fleet" | "board" | "clock">;

async function awaitEngine({ board, clock }: Parts): Promise<void> {
  if (board.ready || board.problem !== undefined) return;
  const enough = new AbortController();
  const leave = board.onChange(() => {
    if (board.ready || board.problem !== undefined) enough.abort();
  });
  await clock.sleep(ENGINE_PATIENCE_MS, enough.signal).catch(() => undefined);
  leave();
}

/** Resolves once it is known how scopes stand here and on other nodes, or does not come to be soon. */
export async function awaitViews(parts: Parts): Promise<void> {
  if (parts.fleet === undefined) return;
  await Promise.all([parts.fleet.whole(), awaitEngine(parts)]);
}

/** Throws FL0765 `view-unknown` where only a part of a scope of a fleet would be said. */
export function refusePart(scope: string, { fleet, board }: Parts): void {
  if (fleet === undefined) return;
  const because = fleet.problem === undefined ? NOT_READ : `the fleet's store: ${fleet.problem}`;
  if (fleet.mayBePart(scope))
    throw new FairleadError(controlErrors["view-unknown"], `${scope} on other nodes: ${because}`);
  if (fleet.wanted(scope) === undefined || board.ready || board.read().asOfMs > 0) return;
  const engine = board.problem ?? NOT_READ;
  throw new FairleadError(
    controlErrors["view-unknown"],
    `${scope} on this node: engine: ${engine}`,
  );
}
