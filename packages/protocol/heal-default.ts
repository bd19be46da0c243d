// SPDX-License-Identifier: Apache-2.0
// Beside the schemas, so that who writes an intent need not load what reads one: a command would take twice as long.
import type { HealIntent } from "./intent.ts";

/** The budget when the owner wrote none: 5 acts in 10 minutes, then quarantine with an alert. */
export const HEAL_DEFAULT: HealIntent = { ladder: "restart", actsMax: 5, windowMs: 600_000 };
