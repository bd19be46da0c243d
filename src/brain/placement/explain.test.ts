// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildOffer, buildRequest } from "#brain/testing/offers.ts";
import { parseConstraint } from "#model/constraint.ts";
import { explainPlacement } from "./explain.ts";

const GIB = 2 ** 30;

test("each node says whether it takes one more, and which test it fails first", () => {
  const ssd = parseConstraint("node.labels.disk == ssd");
  assert.ok(ssd !== undefined);
  const labels = { disk: "ssd", zone: "x" };
  const offers = [
    buildOffer("a", { labels, memoryBytes: 2 * GIB }),
    buildOffer("b", { labels, memoryBytes: 4 * GIB }),
    buildOffer("c", { labels, memoryBytes: 8 * GIB, closed: "cordoned" }),
    buildOffer("d", { memoryBytes: 8 * GIB }),
  ];
  const web = buildRequest({
    count: 4,
    perNodeMax: Infinity,
    constraints: [ssd],
    memoryBytes: 1.5 * GIB,
    cpuMillis: 500,
    ports: ["tcp/80"],
    near: ["shop/db"],
    priority: 3,
  });
  const explained = explainPlacement(offers, [web], "shop/web");
  assert.ok(explained !== undefined);
  const { nodes, asks, summary, missing, wanted } = explained;
  assert.deepEqual([wanted, missing], [4, 2]);
  assert.equal(
    summary,
    "2 of 4 have no node: constraint node.labels.disk == ssd on 1 (d); cordoned on 1 (c); memory on 1 (a: needs 1.5 GiB, at most 512 MiB free); port tcp/80 on 1 (b)",
  );
  assert.deepEqual(asks, [
    "constraint node.labels.disk == ssd",
    "0.5 cores",
    "1.5 GiB of memory",
    "port tcp/80",
    "near shop/db",
    "spread over node.labels.zone",
    "priority 3",
  ]);
  assert.deepEqual(
    nodes.map(({ name, instances, takes, reason }) => [name, instances, takes, reason]),
    [
      ["a", 1, false, "memory (needs 1.5 GiB, 512 MiB free)"],
      ["b", 1, false, "port tcp/80"],
      ["c", 0, false, "cordoned"],
      ["d", 0, false, "constraint node.labels.disk == ssd"],
    ],
  );
  assert.equal(nodes[0]?.reserved, 0.75);
});

test("nodes that take one more come in the order in which they would; no such service is no answer", () => {
  const offers = [buildOffer("a", { load: 0.5 }), buildOffer("b"), buildOffer("c", { load: 0.2 })];
  const explained = explainPlacement(offers, [buildRequest({ standing: ["b"] })], "shop/web");
  assert.deepEqual(
    explained?.nodes.map(({ name, instances, takes }) => [name, instances, takes]),
    [
      ["c", 0, true],
      ["a", 0, true],
      ["b", 1, true],
    ],
  );
  assert.equal(explained?.summary, "1 has its node");
  assert.equal(explainPlacement(offers, [buildRequest()], "shop/nothing"), undefined);
});
