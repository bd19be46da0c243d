// SPDX-License-Identifier: Apache-2.0
// The view of policies in a real browser: who was seen talking to whom, and what others would change.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FlowView } from "@fairlead/protocol/flows.ts";
import { openPage, useBench } from "./open-page.ts";

const bench = useBench();

const end = (service: string) => ({
  address: "10.0.0.1",
  scope: "harbour",
  service,
  instance: `harbour-${service}-1`,
});
const flow = (verdict: FlowView["verdict"], from: string): FlowView => ({
  from: end(from),
  to: end("db"),
  protocol: "tcp",
  port: 5432,
  verdict,
  direction: "ingress",
  count: 3,
  firstAtMs: 1,
  lastAtMs: 2,
});

test("the matrix says who was seen calling whom, and a candidate what would change", async () => {
  await using opened = await openPage(bench);
  const { page } = opened;
  const answer = (items: readonly FlowView[]) => ({
    apiVersion: "fairlead/v1",
    kind: "FlowList",
    asOf: new Date().toISOString(),
    partial: false,
    missing: [],
    items,
  });
  const flows = [flow("allowed", "web"), flow("dropped", "other"), flow("would-drop", "web")];
  await page.route("**/v1/flows?*", (route) => route.fulfill({ json: answer(flows) }));
  await page.route("**/v1/policies/effect", async (route) => {
    const { text, scope } = route.request().postDataJSON() as { text: string; scope: string };
    assert.deepEqual([text, scope], ["kind: NetworkPolicy", "harbour"]);
    const effects = [{ flow: flow("allowed", "web"), verdict: "deny", policy: "harbour/db" }];
    await route.fulfill({ json: { judged: 3, same: 2, effects } });
  });
  await page.goto(`${opened.origin}/#/policies?scope=harbour`);
  const row = (name: string) =>
    page.locator("table.matrix tr", { hasText: new RegExp(`^${name}`) });
  await row("web").getByText("would-drop").waitFor();
  assert.match(await row("other").innerText(), /dropped 5432/);
  await page.getByLabel("Policies, as Kubernetes writes them").fill("kind: NetworkPolicy");
  await page.getByRole("button", { name: "Judge what was seen" }).click();
  await page.getByText("Of 3 flows seen, 1 would be dropped").waitFor();
  await page.getByText("harbour-web-1 to harbour-db-1 5432/tcp: harbour/db").waitFor();
  assert.deepEqual(opened.complaints, []);
});

test("where nothing was seen, that and how to begin is said", async () => {
  await using opened = await openPage(bench);
  const { page } = opened;
  await page.goto(`${opened.origin}/#/policies?scope=harbour`);
  await page.getByText("Nothing was seen").waitFor();
  await page.getByLabel("Policies, as Kubernetes writes them").fill("x");
  await page.getByRole("button", { name: "Judge what was seen" }).click();
  await page.getByText("Of 0 flows seen").waitFor();
});
