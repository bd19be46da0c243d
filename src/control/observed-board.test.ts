// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LinkMeter } from "@fairlead/fabric/link-tally.ts";
import { createRegistry } from "@fairlead/fabric/registry.ts";
import { createTrafficLedger } from "@fairlead/fabric/traffic-ledger.ts";
import { recordOf, SCOPE } from "@fairlead/protocol/testing/record-of.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { createObservedBoard } from "./observed-board.ts";

const MINUTE_MS = 60_000;

function openBoard() {
  const clock = createManualClock();
  const registry = createRegistry();
  const traffic = createTrafficLedger();
  const board = createObservedBoard({ fabric: { registry, traffic, list: registry.list }, clock });
  const join = (name: string, tags = {}) => {
    const record = recordOf(name, { tags });
    registry.put(record);
    return {
      record,
      tell: (to: string, used: number, refused = 0, omitted = 0) =>
        traffic.report({
          scope: SCOPE,
          id: record.id,
          name,
          links: used + refused === 0 ? [] : [{ from: name, to, used, refused }],
          omitted,
        }),
    };
  };
  const links = () =>
    board.view(SCOPE).links.map(({ from, to, used, refused }) => [from + to, used, refused]);
  return { clock, registry, traffic, board, join, links };
}

describe("createObservedBoard()", () => {
  test("adds up what agents tell and what the node passes on", () => {
    const { traffic, join, links } = openBoard();
    const [a, b] = [join("a"), join("b")];
    const meter = new LinkMeter(traffic.relayed(SCOPE), "a", "b");
    meter.count();
    a.tell("b", 3, 1);
    assert.deepEqual(links(), [["ab", 4, 1]]);
    // What was taken is counted once, and a meter goes on after it.
    meter.count();
    b.tell("a", 2);
    assert.deepEqual(links(), [
      ["ab", 5, 1],
      ["ba", 2, 0],
    ]);
  });

  test("who has told nothing is silent, who has told of nothing is not, and who joins again is", () => {
    const { board, registry, join } = openBoard();
    const [a] = [join("a"), join("b")];
    assert.deepEqual(board.view(SCOPE).silent, ["a", "b"]);
    a.tell("", 0);
    assert.deepEqual(board.view(SCOPE).silent, ["b"]);
    registry.remove(a.record.id, "left");
    join("a");
    assert.deepEqual(board.view(SCOPE).silent, ["a", "b"]);
  });

  test("a link that is not seen for ten minutes is forgotten, others are not", async () => {
    const { board, clock, join, links } = openBoard();
    const [a, b] = [join("a"), join("b")];
    a.tell("b", 1);
    b.tell("a", 1);
    await clock.advance(9 * MINUTE_MS);
    b.tell("a", 1);
    const { sinceMs, asOfMs } = board.view(SCOPE);
    assert.equal(asOfMs - sinceMs, 9 * MINUTE_MS);
    await clock.advance(2 * MINUTE_MS);
    assert.deepEqual(links(), [["ba", 2, 0]]);
    assert.equal(board.view(SCOPE).asOfMs - board.view(SCOPE).sinceMs, 10 * MINUTE_MS);
  });

  test("commands of people are neither seen nor silent", () => {
    const { board, join, links } = openBoard();
    join("cli-1", { face: "cli" }).tell("a", 3);
    assert.deepEqual(links(), []);
    assert.deepEqual(board.view(SCOPE).agents, []);
  });

  test("one agent cannot fill it, and what is left out is said", () => {
    const { board, join } = openBoard();
    const [a, b] = [join("a"), join("b")];
    b.tell("a", 1, 0, 5);
    for (let peer = 0; peer < 5_000; peer++) a.tell(`peer-${peer}`, 1);
    const { links, omitted } = board.view(SCOPE);
    assert.equal(links.length, 1_001);
    assert.equal(omitted, 4_000 + 5);
    for (let peer = 0; peer < 30; peer++) {
      const one = join(`filler-${peer}`);
      for (let turn = 0; turn < 1_000; turn++) one.tell(`peer-${turn}`, 1);
    }
    assert.equal(board.view(SCOPE).links.length, 20_000);
  });
});
