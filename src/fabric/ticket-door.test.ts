// SPDX-License-Identifier: Apache-2.0
// Who guesses tickets at a real port and at a container's own socket.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { after, before, test } from "node:test";
import { join, type Agent } from "@fairlead/sdk";
import { systemClock } from "#store/testing/system-clock.ts";
import type { Fabric } from "./fabric.ts";
import { openTestFabric } from "./testing/open-test-fabric.ts";
import { createTicketDoor, type TicketRefusal } from "./ticket-door.ts";

const OF_DEFAULT = { scope: "default", identity: () => () => undefined };
const SECOND_MS = 1_000;
let directory: string;
let fabric: Fabric;
let aheadMs = 0;
const refusals: TicketRefusal[] = [];

before(async () => {
  directory = mkdtempSync(joinPath(tmpdir(), "fairlead-tickets-"));
  fabric = await openTestFabric(directory, {
    listen: "127.0.0.1:0",
    clock: { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs },
    onRefused: (refusal) => void refusals.push(refusal),
  });
});
after(async () => {
  await fabric?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

const port = (): string => fabric.addresses.find((address) => !address.startsWith("unix:")) ?? "";

function enter(name: string, { node = port(), ticket = "" } = {}): Promise<Agent> {
  const own = ticket === "" ? fabric.grantTicket("default", name) : ticket;
  return join({ name, node, ticket: own, listen: false });
}

/** With which code, and for which reason, somebody is not let in. */
async function refusal(entering: Promise<Agent>): Promise<string> {
  try {
    await using _ = await entering;
    return "was let in";
  } catch (thrown) {
    const { code, reason } = { code: "", reason: "", ...(thrown as object) };
    return `${code} ${reason}`;
  }
}

test("ten wrong tickets close the port to their address for a minute; who is in stays, and other ways are open", async () => {
  await using alice = await enter("alice");
  for (let turn = 0; turn < 10; turn++)
    assert.equal(
      await refusal(enter("alice", { ticket: `guess${turn}` })),
      "unauthenticated ticket",
    );
  assert.equal(refusals.length, 10);
  assert.deepEqual(refusals[0], {
    address: "127.0.0.1",
    reason: "default/alice may not join with this ticket",
  });
  assert.equal(await refusal(enter("bob")), "resource_exhausted attempts");
  assert.match(refusals.at(-1)?.reason ?? "", /^10 wrong tickets came from 127\.0\.0\.1/);
  assert.equal((await alice.find({ name: "alice" })).length, 1);

  const path = joinPath(directory, "fabric", "carol.sock");
  await using _place = await fabric.openPlace({ path, ...OF_DEFAULT, service: "carol" });
  await using _carol = await enter("carol", { node: `unix:${path}` });

  aheadMs += 61 * SECOND_MS;
  await using _bob = await enter("bob");
});

test("at a container's own socket they close that one; at the one that all share, none", async () => {
  await using stack = new AsyncDisposableStack();
  const open = async (service: string): Promise<string> => {
    const path = joinPath(directory, "fabric", `${service}.sock`);
    stack.use(await fabric.openPlace({ path, ...OF_DEFAULT, service }));
    return `unix:${path}`;
  };
  const [thief, honest] = [await open("thief"), await open("honest")];
  const stolen = fabric.grantTicket("default", "honest");
  for (let turn = 0; turn < 10; turn++) {
    const ticket = turn === 0 ? stolen : `guess${turn}`;
    assert.match(await refusal(enter("honest", { node: thief, ticket })), /(place|ticket)$/);
  }
  assert.equal(await refusal(enter("thief", { node: thief })), "resource_exhausted attempts");
  await using _ = await enter("honest", { node: honest });
  const shared = `unix:${joinPath(directory, "fabric", "containers", "fabric.sock")}`;
  for (let turn = 0; turn < 11; turn++)
    assert.equal(
      await refusal(enter("alice", { node: shared, ticket: "guess" })),
      "unauthenticated ticket",
    );
  await using _alice = await enter("alice", { node: shared });
});

test("a thousand addresses are remembered, and wrong tickets count for a minute each", () => {
  let nowMs = 0;
  const clock = { monotonicMs: () => nowMs };
  const door = createTicketDoor({ ticketOf: () => "right", clock, onRefused: () => undefined });
  const show = (address: string, ticket: string): string => {
    const rest = { version: 1, encodings: [], windowBytes: 0, payloadBytesMax: 0 };
    const who = { id: "a.1", name: "a", scope: "s", ticket, ...rest };
    try {
      door.admit({ address }, who);
      return "in";
    } catch (thrown) {
      return String((thrown as { readonly reason?: string }).reason);
    }
  };
  for (let turn = 0; turn < 9; turn++) show("early", "wrong");
  nowMs = 59 * SECOND_MS;
  show("early", "wrong");
  assert.equal(show("early", "right"), "attempts");
  nowMs = 61 * SECOND_MS;
  assert.equal(show("early", "right"), "in");
  for (let turn = 0; turn < 10; turn++) show("first", "wrong");
  assert.equal(show("first", "right"), "attempts");
  for (let turn = 0; turn < 1_000; turn++) show(`other ${turn}`, "wrong");
  assert.equal(show("first", "right"), "in");
});
