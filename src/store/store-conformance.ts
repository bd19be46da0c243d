// SPDX-License-Identifier: Apache-2.0
// What every store promises, as tests. A driver's test file calls storeConformance and adds only what is its own.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { leaseRules } from "./testing/lease-rules.ts";
import { reopenRules } from "./testing/reopen-rules.ts";
import type { Rule, StoreFixture } from "./testing/rule.ts";
import { transactionRules } from "./testing/transaction-rules.ts";
import { watchRules } from "./testing/watch-rules.ts";

export interface ConformanceOptions {
  /** A fresh and empty store for each rule; disposed of by the suite. */
  readonly create: () => Promise<StoreFixture>;
  readonly capabilities: {
    /** What was acknowledged is there after `reopen`. */
    readonly reopen: boolean;
  };
  /** Rules that this driver does not keep: title to reason. */
  readonly skip?: Readonly<Record<string, string>>;
}

/** Declares the tests. Fails when `skip` names a rule that does not exist. */
export function storeConformance(name: string, options: ConformanceOptions): void {
  const { create, capabilities, skip = {} } = options;
  const rules: Readonly<Record<string, Rule>> = {
    ...transactionRules,
    ...watchRules,
    ...leaseRules,
    ...(capabilities.reopen ? reopenRules : {}),
  };
  describe(`store conformance: ${name}`, () => {
    test("skip names only rules that exist", () => {
      assert.deepEqual(
        Object.keys(skip).filter((title) => !(title in rules)),
        [],
      );
    });
    for (const [title, rule] of Object.entries(rules)) {
      const reason = skip[title];
      test(title, reason === undefined ? {} : { skip: reason }, async () => {
        await using fixture = await create();
        await rule(fixture);
      });
    }
  });
}
