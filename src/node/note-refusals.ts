// SPDX-License-Identifier: Apache-2.0
import type { AuditLog } from "#audit/audit.ts";
import type { Clock } from "#base/clock.ts";

/** Who, and why. */
interface Refusal {
  readonly address: string;
  readonly reason: string;
}

/** The same from the same address is one line in so long. */
const AGAIN_MS = 60_000;
const REMEMBERED_MAX = 1_000;

/** Puts who was turned away into the audit log, and from `what`; who tries all the time fills no disk. */
export function noteRefusals(
  audit: Pick<AuditLog, "note">,
  clock: Clock,
  what: string,
): (refusal: Refusal) => void {
  const noted = new Map<string, { atMs: number; more: number }>();
  return ({ address, reason }) => {
    const key = `${address} ${reason}`;
    const nowMs = clock.monotonicMs();
    const last = noted.get(key);
    if (last !== undefined && nowMs - last.atMs < AGAIN_MS) {
      last.more++;
      return;
    }
    if (noted.size >= REMEMBERED_MAX) noted.clear();
    noted.set(key, { atMs: nowMs, more: 0 });
    const more = last === undefined || last.more === 0 ? {} : { "and before": last.more };
    audit.note({
      kind: "refused",
      actor: address,
      what,
      outcome: "refused",
      facts: { reason, ...more },
    });
  };
}
