// SPDX-License-Identifier: Apache-2.0
// What every guard that makes rules promises, as tests with real packets. Each driver's test file calls guardConformance.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Guard } from "./guard.ts";
import { changeRules } from "./testing/change-rules.ts";
import { gateRules } from "./testing/gate-rules.ts";
import { openGround, type End, type Ground } from "./testing/ground.ts";
import type { Fixture, Rule } from "./testing/rule.ts";
import { tableRules } from "./testing/table-rules.ts";

export interface ConformanceOptions {
  readonly open: (netns: string) => Guard;
  readonly spoil: (end: End) => void;
  /** Lines about tables and chains of ours; `run` runs a program where they are looked for. */
  readonly list: (run: (program: string, ...args: string[]) => string) => readonly string[];
  /** Default all. */
  readonly rules?: Readonly<Record<string, Rule>>;
  /** The driver's own, on the same ground. */
  readonly more?: Readonly<Record<string, Rule>>;
}

/** Declares the tests. They share a host, and each leaves nothing on it. */
export function guardConformance(name: string, options: ConformanceOptions): void {
  const {
    open,
    spoil,
    list,
    rules = { ...tableRules, ...changeRules, ...gateRules },
    more = {},
  } = options;
  describe(`guard conformance: ${name}`, () => {
    let fixture: Fixture;
    let ground: Ground;
    before(async () => {
      ground = await openGround(open);
      const { guard, start } = ground;
      fixture = {
        ground,
        guard,
        web: await start("web", 1),
        friend: await start("friend", 2),
        stranger: await start("stranger", 3),
        reopen: () => open(`/run/netns/${ground.netns}`),
        spoil,
        countLeft: (end) => list(end?.inside ?? ground.onHost).length,
      };
    });
    after(() => ground[Symbol.asyncDispose]());
    for (const [title, rule] of Object.entries({ ...rules, ...more }))
      test(title, async () => {
        const { guard, web, friend, stranger, countLeft } = fixture;
        try {
          await rule(fixture);
        } finally {
          for (const end of [web, friend, stranger]) await guard.release(end);
          await guard.gate({ bridges: [], ready: [], shortcuts: [], look: true });
        }
        const left = [undefined, web, friend, stranger].map((end) => countLeft(end));
        assert.deepEqual(left, [0, 0, 0, 0]);
      });
  });
}
