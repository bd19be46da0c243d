// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { IdentityView } from "@fairlead/protocol/identity.ts";
import { judgeCertificates } from "./certificate-check.ts";

const NOW_MS = 1_800_000_000_000;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

function identity(kind: IdentityView["kind"], leftMs: number, over: Partial<IdentityView> = {}) {
  const uri = "spiffe://harbour/fairlead/node/node-b";
  const state = kind === "authority" ? "signs" : "valid";
  return { kind, uri, state, serial: "1", notAfterMs: NOW_MS + leftMs, ...over } as const;
}

const GOOD = [
  identity("authority", 300 * DAY_MS, { madeBy: "node-a" }),
  // The one before: it ends when nobody needs it any more.
  identity("authority", MINUTE_MS, { state: "believed", madeBy: "node-a" }),
  identity("node", 31 * MINUTE_MS),
  identity("node", 64 * MINUTE_MS),
  identity("instance", MINUTE_MS / 2, { instance: "shop-web-1" }),
];

test("what is renewed in time is no complaint", () => {
  const { verdict, text } = judgeCertificates(GOOD, NOW_MS);
  assert.deepEqual([verdict, text], ["ok", "5 certificates in time"]);
  assert.equal(judgeCertificates([], NOW_MS).verdict, "ok");
});

test("what has run out, what nobody renews and what a clock that differs has made is told of, by name", () => {
  const wrong: readonly (readonly [IdentityView, RegExp])[] = [
    [identity("node", -MINUTE_MS), /node-b has run out 1m ago/],
    [identity("node", 19 * MINUTE_MS), /node-b ends in 19m and should have been renewed/],
    [identity("node", 90 * MINUTE_MS), /good for 1h30m, .* its clock is ahead by 30m/],
    [
      identity("instance", -1_000, { instance: "shop-web-1", node: "node-c" }),
      /shop-web-1 on node-c has run out 1s ago/,
    ],
    [
      identity("authority", DAY_MS, { madeBy: "/etc/ca.pem" }),
      /authority of \/etc\/ca\.pem ends in/,
    ],
    [
      identity("authority", DAY_MS, { state: "believed", madeBy: "files of node-b" }),
      /authority of files of node-b ends in/,
    ],
  ];
  for (const [one, why] of wrong) {
    const { verdict, facts, kind } = judgeCertificates([...GOOD, one], NOW_MS);
    assert.deepEqual([verdict, kind?.id], ["warn", "FL0876"], `${why}`);
    assert.equal(facts?.length, 1);
    assert.match(facts?.[0] ?? "", why);
  }
});
