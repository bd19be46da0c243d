// SPDX-License-Identifier: Apache-2.0
// Rights where they are enforced: real agents on a real fabric, whose calls the node passes on or does not.
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { test } from "node:test";
import type { RightsQuestion } from "@fairlead/protocol/rights.ts";
import { contract, join, rpc, type Agent } from "@fairlead/sdk";
import { z } from "zod";
import { silentAudit, type AuditEntry } from "#audit/audit.ts";
import { silentLogger } from "#base/logger.ts";
import { createAlertBoard } from "#control/alert-board.ts";
import { createDecisionLog } from "#control/decision-log.ts";
import type { RightsDesk } from "#control/rights/rights-desk.ts";
import { createStoreDoor } from "#control/testing/store-door.ts";
import { openTestFabric } from "#fabric/testing/open-test-fabric.ts";
import { openStore } from "#store/open.ts";
import type { Store } from "#store/store.ts";
import { systemClock as clock } from "#store/testing/system-clock.ts";
import { askRights, startRights } from "./start-rights.ts";

const BY = { actor: "unix socket" };
const word = rpc({ in: z.string(), out: z.string() });
const desk = contract("desk", "1.0.0", { look: word, refund: word });
const RIGHTS = `
@id("look") permit(principal == Agent::"shop/web", action, resource == Service::"shop/pay");
@id("refunds") @outcome("ask") forbid(principal, action, resource) when { context.method like "*refund*" };
`;

async function openNode(stack: AsyncDisposableStack) {
  const directory = mkdtempSync(joinPath(tmpdir(), "fairlead-rights-"));
  stack.defer(() => rmSync(directory, { recursive: true }));
  const store = stack.use(await openStore({ kind: "memory" }, { clock }));
  const random = Math.random;
  const decisions = createDecisionLog({ store, clock, random, logger: silentLogger });
  const alerts = createAlertBoard(clock, random);
  const audited: AuditEntry[] = [];
  const audit = { note: (entry: AuditEntry) => void audited.push(entry) };
  const place = { openStore: () => Promise.resolve(store), own: undefined };
  const hands = { ...place, decisions, alerts, audit, clock, logger: silentLogger };
  const rights = await startRights(hands);
  const fabric = stack.use(await openTestFabric(directory, { rights: askRights(rights) }));
  rights.onGoverned((scope) => fabric.rejoin(scope));
  const [node = ""] = fabric.addresses;
  const enter = async (name: string): Promise<Agent> =>
    stack.use(await join({ name, scope: "shop", node }));
  return { store, rights, decisions, alerts, audited, enter, reopen: () => startRights(hands) };
}

/** Calls until the answer is as it is to be: after rights have changed, agents join again. */
async function settle(call: () => Promise<string>, wanted: RegExp): Promise<string> {
  for (let tries = 0; ; tries++) {
    const got = await call().catch((error: unknown) => `${String(error)}`);
    if (wanted.test(got) || tries > 400) return got;
    await clock.sleep(25);
  }
}

test("who may call whom: refused, asked, allowed, each step written down; also past direct links", async () => {
  await using stack = new AsyncDisposableStack();
  const { rights, decisions, alerts, audited, enter, reopen } = await openNode(stack);
  const [pay, web, cron] = [await enter("pay"), await enter("web"), await enter("cron")];
  await pay.serve(desk, { look: (text) => `seen ${text}`, refund: (text) => `paid ${text}` });
  const byWeb = web.client(desk, { agent: "pay" });
  const byCron = cron.client(desk, { agent: "pay" });
  assert.equal(await byCron.look("a"), "seen a", "without rights everybody may");

  await rights.apply({ scope: "shop", name: "pay", text: RIGHTS }, BY);
  const refused = await settle(() => byCron.look("b"), /may not call/);
  assert.match(refused, /cron may not call pay: no policy permits it/);
  assert.match(await settle(() => byWeb.look("c"), /^seen c$/), /^seen c$/);
  const asked = await settle(() => byWeb.refund("d"), /may not call/);
  assert.match(asked, /web may not call pay: pay\.refunds wants a person to be asked/);
  const [record] = await web.find({ name: "pay" });
  assert.deepEqual(record?.addresses, [], "nobody is told where to go around the node");

  const made = await decisions.list({ scope: "shop", service: "cron", limit: 10 });
  const [denial] = made;
  assert.match(denial?.title ?? "", /^refused: cron call pay\//);
  assert.deepEqual(Object.keys(denial?.inputs ?? {}), [
    "1 identity",
    "2 policy",
    "3 context",
    "4 audit",
  ]);
  assert.ok(
    audited.some(
      ({ kind, actor, outcome }) =>
        kind === "verdict" && actor === "agent shop/cron" && outcome === "deny",
    ),
  );
  assert.match(alerts.list()[0]?.message ?? "", /asks: web call pay\//);

  await rights.grant(
    { scope: "shop", caller: "web", action: "call", target: "pay", method: "", forMs: 60_000 },
    BY,
  );
  assert.match(await settle(() => byWeb.refund("e"), /^paid e$/), /^paid e$/);

  const again = await reopen();
  const question = { scope: "shop", action: "call", target: "pay", method: "look" } as const;
  assert.equal(
    again.test({ ...question, caller: "cron" }).outcome,
    "deny",
    "a node that starts anew knows",
  );
  assert.equal(again.test({ ...question, caller: "web" }).outcome, "allow");

  await rights.remove("shop", "pay", BY);
  assert.match(await settle(() => byCron.look("f"), /^seen f$/), /^seen f$/);
});

const SUBJECTS = `
@id("write") permit(principal == Agent::"shop/web", action == Action::"publish", resource) when { context.subject like "orders.*" };
@id("burst") forbid(principal, action == Action::"publish", resource) when { context.perMinute > 20 };
@id("first") @outcome("alert") permit(principal == Agent::"shop/new", action == Action::"publish", resource) when { context.newPeer };
@id("refunds") @outcome("ask") forbid(principal, action, resource) when { context.subject like "orders.refund*" };
@id("hear") permit(principal == Agent::"shop/pay", action == Action::"subscribe", resource) when { context.subject like "orders.*" };
@id("quiet") forbid(principal == Agent::"shop/pay", action == Action::"subscribe", resource) when { context.subject like "orders.secret*" };
`;

const CALM = SUBJECTS.replace("> 20", "> 2000");

test("who may publish and hear what: kept and not, narrower than the pattern, by the moment", async () => {
  await using stack = new AsyncDisposableStack();
  const { rights, decisions, audited, enter } = await openNode(stack);
  await rights.apply({ scope: "shop", name: "talk", text: SUBJECTS }, BY);
  const [pay, web] = [await enter("pay"), await enter("web")];
  const [cron, newcomer] = [await enter("cron"), await enter("new")];
  const refusalOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => "done",
      (error: unknown) => String(error),
    );

  const heard: string[] = [];
  const news = new EventEmitter();
  const hear = ({ subject }: { readonly subject: string }): void => {
    heard.push(subject);
    news.emit("heard");
  };
  const consuming = pay.on("orders.>", hear, { group: "pay" });
  await consuming.ready;
  const forbidden = cron.on("orders.>", () => undefined, { group: "cron" });
  assert.match(await refusalOf(forbidden.ready), /cron may not subscribe orders\.>: no policy/);
  assert.match(
    await refusalOf(cron.publish("orders.new", 1)),
    /cron may not publish orders\.new: no policy permits it/,
  );
  assert.match(await refusalOf(web.publish("pay.now", 1)), /may not publish pay\.now/);
  const asked = web.publish("orders.refund", 1);
  await assert.rejects(asked, { code: "permission_denied", reason: "ask" });
  await web.publish("orders.secret.1", 1);
  await web.publish("orders.new", 1);
  while (!heard.includes("orders.new")) await once(news, "heard");
  assert.deepEqual(heard, ["orders.new"], "what a policy forbids is not heard by a wider pattern");

  await newcomer.publish("orders.a", 1);
  assert.match(await refusalOf(newcomer.publish("orders.b", 1)), /no policy permits/, "new once");
  const burst: string[] = [];
  for (let i = 0; i < 25; i++) burst.push(await refusalOf(web.publish(`orders.n${i}`, 1)));
  assert.equal(burst[0], "done");
  assert.match(burst.at(-1) ?? "", /talk\.burst forbids it/);

  // Messages that are not kept are the right of both ends.
  pay.hear("orders.*", hear);
  cron.hear("orders.*", () => void heard.push("cron heard"));
  await rights.apply({ scope: "shop", name: "talk", text: CALM }, BY);
  heard.length = 0;
  while (heard.filter((one) => one === "orders.direct").length < 3) {
    await web.emit("orders.direct", 1);
    await clock.sleep(25);
  }
  assert.ok(!heard.includes("cron heard"));

  const made = await decisions.list({ scope: "shop", service: "cron", limit: 10 });
  assert.deepEqual(made.map(({ title }) => title).toSorted(), [
    "refused: cron publish orders.new",
    "refused: cron subscribe orders.>",
  ]);
  assert.ok(
    audited.some(({ what, outcome }) => what === "web publish orders.refund" && outcome === "ask"),
  );

  await rights.apply(
    { scope: "shop", name: "talk", text: CALM.slice(0, CALM.indexOf('@id("hear")')) },
    BY,
  );
  await web.publish("orders.last", 1);
  const end = await consuming.closed;
  assert.equal(end.reason, "refused", "a right that is taken back ends what stands on it");
});

test("rights hold on all nodes of a fleet, also while its store is away, and a yes too", async () => {
  await using stack = new AsyncDisposableStack();
  const fleet = stack.use(await openStore({ kind: "memory" }, { clock }));
  await fleet.transact([{ kind: "put", key: "identity", value: "one" }]);
  const door = createStoreDoor(fleet);
  const openOne = async (own: Store, to = fleet) => {
    const random = Math.random;
    const decisions = createDecisionLog({ store: own, clock, random, logger: silentLogger });
    const alerts = createAlertBoard(clock, random);
    const common = { openStore: () => Promise.resolve(to), own, audit: silentAudit };
    const rights = await startRights({ ...common, decisions, alerts, clock, logger: silentLogger });
    const stopping = new AbortController();
    const running = rights.run(stopping.signal);
    const close = async (): Promise<void> => {
      stopping.abort();
      await running;
    };
    stack.defer(close);
    return { rights, close };
  };
  const memory = async () => stack.use(await openStore({ kind: "memory" }, { clock }));
  const ask = { scope: "shop", caller: "web", action: "call", target: "pay", method: "" } as const;
  const until = async (rights: RightsDesk, outcome: string, question: RightsQuestion = ask) => {
    while (rights.test(question).outcome !== outcome) await clock.sleep(5);
  };
  const [ownA, ownB] = [await memory(), await memory()];
  // What a node had before it belonged to the fleet holds on, and for all.
  const kept = {
    scope: "shop",
    name: "old",
    text: `forbid(principal, action, resource) when { context.method == "x" };`,
  };
  await ownA.transact([{ kind: "put", key: "rights/shop/old", value: kept }]);
  const { rights: a } = await openOne(ownA);
  const first = await openOne(ownB, door.store);
  await until(first.rights, "deny");
  await a.apply({ scope: "shop", name: "pay", text: RIGHTS }, BY);
  await until(first.rights, "allow");
  const refund = { ...ask, method: "desk/refund" };
  assert.equal(first.rights.test(refund).outcome, "ask");
  await a.grant({ ...refund, forMs: 60_000 }, BY);
  await until(first.rights, "allow", refund);
  await until(first.rights, "deny", { ...ask, caller: "cron" });
  assert.deepEqual((await ownA.list("rights/")).entries, [], "it moved to the fleet's store");

  await first.close();
  door.shut();
  const { rights: cut } = await openOne(ownB, door.store);
  assert.equal(cut.test(ask).outcome, "allow", "from its copy");
  assert.equal(cut.test({ ...ask, caller: "cron" }).outcome, "deny");
  await assert.rejects(cut.apply({ scope: "shop", name: "b", text: RIGHTS }, BY));

  const { rights: stranger } = await openOne(await memory(), door.store);
  assert.match(stranger.test(ask).because, /not known yet/);
  assert.ok(stranger.governs("shop"), "nobody is told addresses before");
  door.open();
  await until(stranger, "allow");
});

test("kept rights that cannot be read let nothing pass, and each can be removed", async () => {
  await using stack = new AsyncDisposableStack();
  const { store, reopen } = await openNode(stack);
  for (const name of ["a", "b"]) {
    const value = { scope: "shop", name, text: "permit (" };
    await store.transact([{ kind: "put", key: `rights/shop/${name}`, value }]);
  }
  const rights = await reopen();
  const ask = () =>
    rights.test({ scope: "shop", caller: "web", action: "call", target: "pay", method: "" });
  assert.equal(ask().outcome, "deny");
  await rights.remove("shop", "a", BY);
  assert.equal(ask().outcome, "deny");
  await rights.remove("shop", "b", BY);
  assert.equal(ask().outcome, "allow");
});
