// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Assignment } from "@fairlead/protocol/assignment.ts";
import { buildIntent, buildService } from "#brain/testing/builders.ts";
import type { Desired } from "#control/scope-loop.ts";
import { chooseDesired, type FleetWord } from "./choose-desired.ts";

const intent = buildIntent([buildService({ name: "web", replicas: 2 })]);
const wanted = { intent, origin: "a", actor: "somebody", reason: "because" };
const assignment: Assignment = {
  generation: 5,
  fence: 1,
  services: {
    web: [
      { slot: 1, node: "a" },
      { slot: 2, node: "b" },
    ],
  },
  missing: [],
};
const word: FleetWord = {
  scope: intent.scope,
  self: "a",
  name: "harbour",
  identity: "fleet_1",
  wanted,
  generation: 5,
  assignment,
};
const fleet = { name: "harbour", identity: "fleet_1", generation: 5 };

function put(local: Desired | undefined, more: Partial<FleetWord> = {}) {
  const choice = chooseDesired(local, { ...word, ...more });
  assert.equal(choice.kind, "put");
  return choice.kind === "put" ? choice : assert.fail();
}

const first = put(undefined);
const { desired } = first;

describe("chooseDesired()", () => {
  test("takes the slots that are its own, for who asked, and then keeps them", () => {
    assert.deepEqual(desired.intent.services[0]?.slots, [1]);
    assert.deepEqual(
      [desired.actor, desired.reason, desired.fleet],
      ["somebody", "because", fleet],
    );
    assert.equal(first.isNews, true);
    assert.equal(chooseDesired(desired, word).kind, "keep");
  });

  test("what a newer version wants, which it cannot read, is neither taken over nor removed", () => {
    const unread = { wanted: undefined, generation: 0, isUnread: true };
    assert.equal(chooseDesired(desired, { ...word, ...unread }).kind, "unread");
    assert.equal(chooseDesired(undefined, { ...word, ...unread }).kind, "unread");
    assert.equal(
      put(desired, { ...word, ...unread, isUnread: false }).desired.removal?.volumes,
      false,
    );
  });

  test("volumes that were to go while it was away go with the scope, also when that is going already", () => {
    const none = { wanted: undefined, generation: 0, assignment: undefined };
    const kept = put(desired, none);
    assert.equal(kept.desired.removal?.volumes, false);
    const owing = { ...none, owesVolumes: true };
    const gone = put(desired, owing);
    assert.equal(gone.desired.removal?.volumes, true);
    assert.equal(put(kept.desired, owing).desired.removal?.volumes, true);
    assert.equal(chooseDesired(gone.desired, { ...word, ...owing }).kind, "keep");
    assert.equal(chooseDesired(undefined, { ...word, ...owing }).kind, "wait");
    assert.equal(chooseDesired(undefined, { ...word, ...owing, hasVolumes: false }).kind, "keep");
  });

  test("slots that come or go are no news; asking again is", () => {
    const services = {
      web: [
        { slot: 1, node: "a" },
        { slot: 2, node: "a" },
      ],
    };
    const more = put(desired, { assignment: { ...assignment, services } });
    assert.equal(more.desired.intent, intent);
    assert.equal(more.isNews, false);
    const again = { generation: 6, assignment: { ...assignment, generation: 6 } };
    assert.equal(put(desired, again).isNews, true);
  });

  test("waits for an assignment that follows from what is wanted now", () => {
    assert.equal(chooseDesired(desired, { ...word, generation: 6 }).kind, "wait");
    assert.equal(chooseDesired(undefined, { ...word, assignment: undefined }).kind, "keep");
  });

  test("removes what stands on other nodes now, and keeps the data of its volumes", () => {
    const services = {
      web: [
        { slot: 1, node: "c" },
        { slot: 2, node: "b" },
      ],
    };
    const gone = put(desired, { assignment: { ...assignment, services } });
    const removal = { volumes: false, because: "its instances stand on other nodes" };
    assert.deepEqual(gone.desired.removal, removal);
    const left = { ...word, assignment: { ...assignment, services } };
    assert.equal(chooseDesired(gone.desired, left).kind, "keep");
  });

  test("follows down with what it says of volumes", () => {
    const removal = { volumes: true };
    const down = put(desired, { wanted: { ...wanted, removal }, generation: 7 });
    assert.deepEqual(down.desired.removal, removal);
    const told = { ...word, wanted: { ...wanted, removal }, generation: 7 };
    assert.equal(chooseDesired(down.desired, told).kind, "keep");
    assert.equal(chooseDesired(undefined, { ...told, hasVolumes: false }).kind, "keep");
  });

  test("volumes that are left of a scope go by the same word, also where the scope is long down", () => {
    const removal = { volumes: true };
    const told = { wanted: { ...wanted, removal }, generation: 7, hasVolumes: true };
    const left = put(undefined, told).desired;
    assert.deepEqual([left.removal, left.intent.scope], [removal, intent.scope]);
    assert.deepEqual(left.intent.services, []);
    assert.equal(chooseDesired(left, { ...word, ...told }).kind, "keep");
    const keep = { ...told, wanted: { ...wanted, removal: { volumes: false } } };
    assert.equal(chooseDesired(undefined, { ...word, ...keep }).kind, "keep");
    const owing = { wanted: undefined, generation: 0, owesVolumes: true, hasVolumes: true };
    assert.equal(put(undefined, owing).desired.removal?.volumes, true);
    // Until the engine has answered it is not known that there is nothing.
    for (const one of [told, owing])
      assert.equal(
        chooseDesired(undefined, { ...word, ...one, hasVolumes: undefined }).kind,
        "wait",
      );
    const own: Desired = { intent, removal: undefined, actor: "somebody" };
    assert.equal(chooseDesired(own, { ...word, ...told }).kind, "keep");
  });

  test("what was taken back while it was away is removed; a store that was lost is told what this node has", () => {
    const nothing = { wanted: undefined, generation: 0, assignment: undefined };
    assert.deepEqual(put(desired, nothing).desired.removal?.volumes, false);
    const lost = { ...word, ...nothing, identity: "fleet_2" };
    assert.equal(chooseDesired(desired, lost).kind, "restore");
    assert.equal(chooseDesired({ ...desired, removal: { volumes: false } }, lost).kind, "keep");
  });

  test("what another fleet wanted is this node's own once it has left that one", () => {
    const nothing = { wanted: undefined, generation: 0, assignment: undefined };
    assert.equal(chooseDesired(desired, { ...word, ...nothing, name: "other" }).kind, "keep");
  });

  test("leaves alone what is this node's own", () => {
    const own: Desired = { intent, removal: undefined, actor: "somebody" };
    const nothing = { wanted: undefined, generation: 0, assignment: undefined };
    assert.equal(chooseDesired(own, { ...word, ...nothing }).kind, "keep");
    const elsewhere = { web: [{ slot: 1, node: "b" }] };
    const placed = { ...word, assignment: { ...assignment, services: elsewhere } };
    assert.equal(chooseDesired(own, placed).kind, "keep");
    assert.equal(put(own).isNews, true);
  });
});
