// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "#base/clock.ts";
import { createLimiter, type Limiter } from "#base/limiter.ts";
import type { Settings } from "#config/settings.ts";

const HEAL_WIDTH = 16;
/** Acts take less, but for pulls, long grace times, and what hangs. */
const SLOW_ACT_MS = 5_000;
/** So many acts may run besides those that hang. */
const SPARE_ACTS = 4;

/** How many acts may run at once, those that hang aside. */
export function createWidths(
  settings: Settings,
  clock: Clock,
): { readonly bulk: Limiter; readonly heal: Limiter } {
  const acting = { clock, slowMs: SLOW_ACT_MS, spare: SPARE_ACTS };
  return {
    bulk: createLimiter(settings.engine.parallelism, acting),
    heal: createLimiter(HEAL_WIDTH, acting),
  };
}
