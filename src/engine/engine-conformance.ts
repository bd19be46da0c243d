// SPDX-License-Identifier: Apache-2.0
// What every engine promises, as tests. A driver's test file calls engineConformance and adds only what is its own.
import { describe, test } from "node:test";
import { imageRules } from "./testing/image-rules.ts";
import { instanceRules } from "./testing/instance-rules.ts";
import { logRules } from "./testing/log-rules.ts";
import { resourceRules } from "./testing/resource-rules.ts";
import type { EngineFixture } from "./testing/rule.ts";
import { watchRules } from "./testing/watch-rules.ts";

/** Declares the tests. They share one engine, which `get` hands over once it runs, and leave nothing on it. */
export function engineConformance(name: string, get: () => EngineFixture): void {
  const rules = { ...instanceRules, ...logRules, ...resourceRules, ...imageRules, ...watchRules };
  describe(`engine conformance: ${name}`, () => {
    for (const [title, rule] of Object.entries(rules)) test(title, () => rule(get()));
  });
}
