// SPDX-License-Identifier: Apache-2.0
// Policies by Cedar's own evaluator: outcomes, what goes wrong, and that the cache changes nothing.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { RightsContext } from "@fairlead/protocol/rights.ts";
import fc from "fast-check";
import { FairleadError } from "#base/errors.ts";
import { openRightsCompiler } from "./open-compiler.ts";
import type { Ask, Rights, RightsCompiler } from "./rights.ts";

const POLICIES = `
@id("web") permit(principal == Agent::"shop/web", action == Action::"call", resource == Service::"shop/research");
@id("busy") forbid(principal, action, resource) when { context.timesUsual >= 10 && context.perMinute > 60 };
@id("new") @outcome("alert") permit(principal == Agent::"shop/new", action, resource) when { context.newPeer };
@id("later") permit(principal == Agent::"shop/new", action, resource) unless { context.newPeer };
@id("refunds") @outcome("ask") forbid(principal, action, resource) when { context.method like "refund*" };
@id("night") forbid(principal, action, resource) when { context.hourUtc < 6 };
@id("orders") permit(principal, action == Action::"publish", resource in Scope::"shop") when { context.subject like "orders.*" };
`;
const ASK: Ask = {
  scope: "shop",
  caller: "web",
  action: "call",
  target: "research",
  method: "sum",
};
const NOW: RightsContext = {
  method: "sum",
  subject: "",
  perMinute: 1,
  usualPerMinute: 1,
  timesUsual: 1,
  newPeer: false,
  watchedMinutes: 100,
  hourUtc: 12,
  weekdayUtc: 3,
};

let compiler: RightsCompiler;
let rights: Rights;
before(async () => {
  compiler = await openRightsCompiler();
  rights = compiler.compile(compiler.read("shop", POLICIES));
});

function refusal(text: string): string {
  try {
    compiler.compile(compiler.read("shop", text));
  } catch (thrown) {
    assert.ok(thrown instanceof FairleadError && thrown.kind.id === "FL2101");
    return thrown.message;
  }
  return "taken";
}

describe("rights", () => {
  for (const [what, ask, now, granted, outcome, policies] of [
    ["what is permitted", {}, {}, false, "allow", "shop.web"],
    ["who is not named", { caller: "cron" }, {}, false, "deny", ""],
    ["another target", { target: "pay" }, {}, false, "deny", ""],
    ["another scope's agent of that name", { scope: "other" }, {}, false, "deny", ""],
    [
      "volume far above its own history",
      {},
      { timesUsual: 10, perMinute: 61 },
      false,
      "deny",
      "shop.busy",
    ],
    [
      "volume far above, but little",
      {},
      { timesUsual: 10, perMinute: 60 },
      false,
      "allow",
      "shop.web",
    ],
    ["a new peer", { caller: "new" }, { newPeer: true }, false, "alert", "shop.new"],
    ["a known peer", { caller: "new" }, {}, false, "allow", "shop.later"],
    ["by night", {}, { hourUtc: 5 }, false, "deny", "shop.night"],
    ["what asks", {}, { method: "refund-all" }, false, "ask", "shop.refunds"],
    ["what asks, with a person's yes", {}, { method: "refund-all" }, true, "allow", "shop.web"],
    [
      "a yes does not lift what forbids",
      {},
      { method: "refund", hourUtc: 1 },
      true,
      "deny",
      "shop.night",
    ],
    [
      "what asks and is forbidden too",
      {},
      { method: "refund", hourUtc: 1 },
      false,
      "deny",
      "shop.night,shop.refunds",
    ],
    ["a yes is no permit", { caller: "cron" }, { method: "refund" }, true, "deny", ""],
    [
      "a subject",
      { action: "publish", target: "orders.new" },
      { subject: "orders.new" },
      false,
      "allow",
      "shop.orders",
    ],
    [
      "another subject",
      { action: "publish", target: "pay" },
      { subject: "pay" },
      false,
      "deny",
      "",
    ],
  ] as const)
    test(`${what}: ${outcome}`, () => {
      const got = rights.decideAnew({ ...ASK, ...ask }, { ...NOW, ...now }, granted);
      assert.deepEqual([got.outcome, got.policies.join()], [outcome, policies], got.because);
    });

  test("what cannot be read is refused with its line", () => {
    assert.match(refusal("permit(principal,\n  action"), /shop: line 2: unexpected end/);
    assert.match(
      refusal("permit(principal, action, resource) when { context.mood };"),
      /shop\.1: there is no context\.mood/,
    );
    assert.match(
      refusal(`@outcome("log") permit(principal, action, resource);`),
      /@outcome may be/,
    );
    assert.match(
      refusal(`@outcome("ask") permit(principal, action, resource);`),
      /stands at a forbid/,
    );
    assert.match(refusal("// nothing yet\n"), /shop: has no policies/);
    assert.match(refusal(`permit(principal == ?principal, action, resource);`), /templates/);
    assert.match(
      refusal(
        `@id("a") permit(principal, action, resource); @id("a") forbid(principal, action, resource);`,
      ),
      /shop\.a: two policies have the same name/,
    );
  });

  test("a policy that cannot be evaluated lets nothing pass, though Cedar would leave it out", () => {
    const text = `permit(principal, action, resource); forbid(principal, action, resource) when { principal.mood == 1 };`;
    using broken = compiler.compile(compiler.read("shop", text));
    const { outcome, because } = broken.decide(ASK, NOW, false);
    assert.equal(outcome, "deny");
    assert.match(because, /shop\.2 cannot be evaluated/);
  });

  test("the cache answers as the evaluator does, whatever the moment", () => {
    const near = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 58, max: 63 }));
    const moment = fc.record({
      method: fc.constantFrom("sum", "refund", "refund-all", ""),
      perMinute: near,
      timesUsual: near,
      usualPerMinute: near,
      watchedMinutes: near,
      newPeer: fc.boolean(),
      hourUtc: fc.integer({ min: 0, max: 23 }),
      weekdayUtc: fc.integer({ min: 0, max: 6 }),
    });
    fc.assert(
      fc.property(
        moment,
        fc.constantFrom("web", "new", "cron"),
        fc.boolean(),
        (now, caller, granted) => {
          const [ask, context] = [
            { ...ASK, caller },
            { ...NOW, ...now },
          ];
          assert.deepEqual(
            rights.decide(ask, context, granted),
            rights.decideAnew(ask, context, granted),
          );
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
