// SPDX-License-Identifier: Apache-2.0
// `HEARTBEAT|service|address`, which other programs send. Nothing proves who sent it: it is understood only where it is
// switched on, and what it says never takes the place of a record that has proof.
import { AgentRecord } from "@fairlead/protocol/agent.ts";
import type { Roster } from "#discovery/roster.ts";

export interface PlainForm {
  /** True when it was a heartbeat of the plain form. */
  take(bytes: Buffer, nowMs: number, wallMs: number): boolean;
  /** Removes those silent for two heartbeats. */
  check(nowMs: number): void;
}

const FORM = /^HEARTBEAT\|([^|\s]{1,63})\|([^|\s]{1,255})\s*$/;
const BYTES_MAX = 400;
const AGENTS_MAX = 1_000;

/** Puts what is heard into the roster, in that scope. */
export function createPlainForm(roster: Roster, scope: string, intervalMs: number): PlainForm {
  const heard = new Map<string, number>();
  return {
    take(bytes, nowMs, wallMs) {
      const match = bytes.length > BYTES_MAX ? null : FORM.exec(bytes.toString("utf8"));
      if (match === null) return false;
      const [, service = "", address = ""] = match;
      const id = `plain-${service}-${address}`.slice(0, 64);
      if (heard.has(id)) {
        heard.set(id, nowMs);
        return true;
      }
      const record = AgentRecord.safeParse({
        id,
        name: service.toLowerCase(),
        scope,
        kind: "service",
        addresses: [address],
        contracts: [],
        skills: [],
        subscriptions: [],
        version: "",
        tags: { proof: "none" },
        locality: {},
        load: 0,
        draining: false,
        healthy: true,
        ttlMs: Math.min(2 * intervalMs, 60_000),
        joinedAtMs: Math.max(0, Math.round(wallMs)),
      });
      if (!record.success) return false;
      if (heard.size >= AGENTS_MAX || roster.find(id) !== undefined) return true;
      heard.set(id, nowMs);
      roster.put(record.data);
      return true;
    },
    check(nowMs) {
      for (const [id, heardMs] of heard) {
        if (nowMs - heardMs < 2 * intervalMs) continue;
        heard.delete(id);
        roster.remove(id, "expired");
      }
    },
  };
}
