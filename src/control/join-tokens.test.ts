// SPDX-License-Identifier: Apache-2.0
// Join tokens over a store: who may use one, how often and how long.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FairleadError } from "#base/errors.ts";
import { openStore } from "#store/open.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { keepToken, listTokens, planTokenUse, revokeToken } from "./join-tokens.ts";

const PROOF = { id: "tok_1", secret: "hU3aYw8cQ1eRrT5zXk9mNg" };
const HOUR_MS = 3_600_000;

async function openTokens(uses = 1) {
  const clock = createManualClock();
  const store = await openStore({ kind: "memory" }, { clock });
  const keep = (id: string) =>
    keepToken(store, {
      ...PROOF,
      id,
      ttlMs: HOUR_MS,
      uses,
      createdBy: "ana",
      nowMs: clock.nowMs(),
    });
  await keep(PROOF.id);
  const join = async (node: string, proof = PROOF) => {
    const { operations, conditions } = await planTokenUse(store, proof, node);
    return (await store.transact(operations, conditions)) !== undefined;
  };
  return { clock, store, keep, join };
}

async function refusal(work: Promise<unknown>): Promise<FairleadError> {
  try {
    await work;
  } catch (thrown) {
    assert.ok(thrown instanceof FairleadError);
    return thrown;
  }
  assert.fail("was accepted");
}

describe("a join token", () => {
  test("lets as many join as it was made for, and says who did", async () => {
    const { join, store } = await openTokens(2);
    assert.ok(await join("b"));
    assert.ok(await join("c"));
    const error = await refusal(join("d"));
    assert.equal(error.kind.id, "FL0734");
    assert.deepEqual(error.facts, { token: "tok_1", "made by": "ana", "joined with it": "b, c" });
    const [view] = await listTokens(store);
    assert.deepEqual([view?.state, view?.usesLeft, view?.nodes], ["used", 0, ["b", "c"]]);
  });

  test("lets one of two join that come at the same moment", async () => {
    const { store } = await openTokens();
    const [one, two] = await Promise.all([
      planTokenUse(store, PROOF, "b"),
      planTokenUse(store, PROOF, "c"),
    ]);
    const done = [
      await store.transact(one.operations, one.conditions),
      await store.transact(two.operations, two.conditions),
    ];
    assert.deepEqual(
      done.map((revision) => revision !== undefined),
      [true, false],
    );
  });

  test("expires by the store's time, also between looking and writing", async () => {
    const { clock, store, join } = await openTokens();
    await clock.advance(HOUR_MS - 1_000);
    const late = await planTokenUse(store, PROOF, "b");
    await clock.advance(2_000);
    assert.equal(await store.transact(late.operations, late.conditions), undefined);
    assert.equal((await refusal(join("b"))).kind.id, "FL0733");
    assert.equal((await listTokens(store))[0]?.state, "expired");
  });

  test("is not known with another secret or id, whatever else is true of it", async () => {
    const { store, join } = await openTokens();
    const forged = [
      { ...PROOF, secret: "hU3aYw8cQ1eRrT5zXk9mNh" },
      { ...PROOF, secret: "" },
      { ...PROOF, id: "tok_2" },
      { ...PROOF, id: "../key" },
    ];
    for (const proof of forged)
      assert.equal((await refusal(join("b", proof))).kind.id, "FL0732", JSON.stringify(proof));
    await revokeToken(store, PROOF.id, "bob");
    for (const proof of forged) assert.equal((await refusal(join("b", proof))).kind.id, "FL0732");
  });

  test("that was revoked lets nobody join, and says who took it back", async () => {
    const { store, join } = await openTokens(3);
    assert.ok(await join("b"));
    const view = await revokeToken(store, PROOF.id, "bob");
    assert.deepEqual([view.state, view.usesLeft], ["revoked", 2]);
    await revokeToken(store, PROOF.id, "carol");
    const error = await refusal(join("c"));
    assert.deepEqual([error.kind.id, error.facts["revoked by"]], ["FL0735", "bob"]);
  });

  test("that nobody made cannot be revoked", async () => {
    const { store } = await openTokens();
    assert.equal((await refusal(revokeToken(store, "tok_9", "bob"))).kind.id, "FL0736");
  });

  test("is kept as a hash only, and forgotten a week after it was made", async () => {
    const { clock, store, keep } = await openTokens();
    const all = JSON.stringify((await store.list("")).entries);
    assert.ok(!all.includes(PROOF.secret));
    await clock.advance(8 * 24 * HOUR_MS);
    await keep("tok_2");
    assert.deepEqual(
      (await listTokens(store)).map(({ id, state }) => [id, state]),
      [["tok_2", "valid"]],
    );
  });
});
