// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { NetworkKind } from "@fairlead/protocol/network.ts";
import { adviseNetwork, kindOfDriver, type NetworkSituation } from "./network-advice.ts";

const WEB: NetworkSituation = {
  scope: "shop",
  service: "web",
  network: "shop_default",
  has: "bridge",
  encrypted: false,
  mtu: undefined,
  nodes: ["node-a"],
  others: [{ service: "db", nodes: ["node-a"] }],
  publishes: false,
  nodeCount: 3,
};

const suitsOf = (changes: Partial<NetworkSituation>): NetworkKind =>
  adviseNetwork({ ...WEB, ...changes }).suits;
const FAR = [{ service: "db", nodes: ["node-b"] }];

describe("adviseNetwork()", () => {
  test("a bridge suits what stands on one host, and not what has to be reached on another", () => {
    assert.equal(suitsOf({}), "bridge");
    const advice = adviseNetwork({ ...WEB, others: FAR });
    assert.equal(advice.suits, "vxlan");
    assert.match(advice.why, /^db stands on node-b and web on node-a: /);
    assert.equal(suitsOf({ nodes: ["node-a", "node-b"], others: [] }), "vxlan");
    assert.equal(suitsOf({ nodes: [], others: FAR }), "bridge", "nothing runs yet");
  });

  test("a network that spans hosts suits a fleet, and one host has no use of it", () => {
    assert.equal(suitsOf({ has: "vxlan", others: FAR }), "vxlan");
    assert.equal(suitsOf({ has: "vxlan" }), "vxlan");
    assert.equal(suitsOf({ has: "vxlan", nodeCount: 1 }), "bridge");
    assert.equal(suitsOf({ has: "overlay", others: FAR }), "overlay");
  });

  test("what can be read on the way is said, and what encrypting costs", () => {
    const plain = adviseNetwork({ ...WEB, has: "vxlan", others: FAR });
    assert.match(plain.notes.join(), /can read it/);
    assert.ok(plain.cost !== undefined);
    const sealed = adviseNetwork({ ...WEB, has: "vxlan", encrypted: true, others: FAR });
    assert.match(sealed.notes.join(), /wireguard-go/);
    assert.equal(sealed.cost, undefined, "it depends on who encrypts");
  });

  test("the host's own network keeps nothing apart", () => {
    assert.equal(suitsOf({ has: "host", network: undefined }), "bridge");
    assert.equal(suitsOf({ has: "host", nodes: ["node-a", "node-b"] }), "vxlan");
    assert.match(adviseNetwork({ ...WEB, has: "host" }).notes.join(), /policies do not hold/);
  });

  test("none suits who publishes nothing; others' networks are left to who has them", () => {
    assert.equal(suitsOf({ has: "none" }), "none");
    assert.equal(suitsOf({ has: "none", publishes: true }), "bridge");
    for (const has of ["macvlan", "ipvlan", "shared", "other"] as const)
      assert.equal(suitsOf({ has, others: FAR }), has);
    assert.equal(kindOfDriver("weave"), "other");
    assert.equal(kindOfDriver(undefined), "bridge");
  });
});
