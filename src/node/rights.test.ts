// SPDX-License-Identifier: Apache-2.0
// Rights where they are enforced: real agents on a real fabric, whose calls the node passes on or does not.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { test } from "node:test";
import { createRouteBoard } from "@fairlead/fabric/route-board.ts";
import { contract, join, rpc, type Agent } from "@fairlead/sdk";
import { z } from "zod";
import type { AuditEntry } from "#audit/audit.ts";
import { silentLogger } from "#base/logger.ts";
import { createAlertBoard } from "#control/alert-board.ts";
import { createDecisionLog } from "#control/decision-log.ts";
import { openFabric } from "#fabric/open.ts";
import { openStore } from "#store/open.ts";
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
  const hands = { store, decisions, alerts, audit, clock, logger: silentLogger };
  const rights = await startRights(hands);
  const fabric = stack.use(
    await openFabric(
      {
        node: { id: "node_1", name: "one" },
        socket: joinPath(directory, "fabric", "fabric.sock"),
        listen: "off",
        route: "ewma",
        logPath: joinPath(directory, "messages", "log.db"),
        secret: "a secret of the tests",
      },
      {
        routes: createRouteBoard(),
        rights: askRights(rights),
        clock,
        random,
        logger: silentLogger,
      },
    ),
  );
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
