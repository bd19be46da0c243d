// SPDX-License-Identifier: Apache-2.0
// Which instances of a service this host is to have: all, or of a fleet those that were placed here.
import type { ServiceIntent } from "#model/intent.ts";

/** Their numbers, ascending. */
export function listSlots({ slots, replicas }: ServiceIntent): readonly number[] {
  return slots ?? Array.from({ length: replicas }, (_, index) => index + 1);
}

/** Whether a slot is one of them. */
export function holdsSlot({ slots, replicas }: ServiceIntent, slot: number): boolean {
  return slots === undefined ? slot >= 1 && slot <= replicas : slots.includes(slot);
}
