// SPDX-License-Identifier: Apache-2.0
// What changes on the page by itself, in a real browser: while the node answers, and while it does not.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createDecision, createInstance, createService } from "#api/testing/fake-data.ts";
import { openPage, useBench } from "./open-page.ts";

const bench = useBench();

describe("live", () => {
  it("decisions and services change as they happen", async () => {
    await using opened = await openPage(bench);
    const { fake } = opened.running;
    await opened.page.getByText("created web-2").waitFor();
    const nowMs = Date.now();
    const decision = createDecision("dec_0000000000000Z", nowMs, {
      title: "restarted web-1",
      service: "web",
    });
    fake.publish({ kind: "decision", atMs: nowMs, decision: { ...decision, outcome: "pending" } });
    const row = opened.page.getByRole("listitem").filter({ hasText: "restarted web-1" });
    await row.getByText("pending").waitFor();
    fake.publish({ kind: "decision", atMs: nowMs, decision });
    await row.getByText("done").waitFor();
    const web = createService("web", [createInstance("web", 1, nowMs)], {
      state: "degraded",
      reason: "1 of 2 is gone",
    });
    fake.publish({ kind: "service", atMs: nowMs, service: web });
    await opened.page.getByText("1 of 2 is gone").waitFor();
    const alert = fake.alerts[0];
    assert.ok(alert);
    fake.publish({ kind: "alert", atMs: nowMs, alert, resolved: true });
    await opened.page.getByText("None. Nothing waits for a person.").waitFor();
    assert.deepEqual(opened.complaints, []);
  });

  it("after a break the stream resumes where it was, and the break is shown", async () => {
    await using opened = await openPage(bench);
    const { fake } = opened.running;
    const nowMs = Date.now();
    const publish = (id: string, title: string): void =>
      fake.publish({
        kind: "decision",
        atMs: nowMs,
        decision: createDecision(id, nowMs, { title }),
      });
    publish("dec_0000000000000X", "restarted one");
    await opened.page.getByText("restarted one").first().waitFor();
    await opened.context.setOffline(true);
    await opened.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
    await opened.page.getByText("The node does not answer.").waitFor({ timeout: 30_000 });
    assert.match(await opened.page.locator("h1").innerText(), /1 thing needs you/);
    publish("dec_0000000000000Y", "restarted two");
    await opened.context.setOffline(false);
    await opened.page.getByText("restarted two").first().waitFor();
    await opened.page.locator(".connection.live").waitFor();
    const events = fake.calls.filter((call) => call.name === "events");
    assert.deepEqual(events.at(-1)?.args, [{ afterId: "1" }]);
  });

  it("a node that is gone is said within seconds, and what was seen stays", async () => {
    await using opened = await openPage(bench);
    await opened.page.getByText("created web-2").waitFor();
    await opened.running.api[Symbol.asyncDispose]();
    await opened.page.getByText("The node does not answer. What you see is as of").waitFor();
    assert.ok(await opened.page.getByText("created web-2").isVisible());
  });

  it("a screen reader is told at most once in five seconds", async () => {
    await using opened = await openPage(bench);
    await opened.page.getByText("created web-2").waitFor();
    await opened.page.evaluate(
      `window.said = []; new MutationObserver(() => window.said.push([performance.now(), document.querySelector("[role=status]").textContent])).observe(document.querySelector("[role=status]"), { childList: true, characterData: true, subtree: true })`,
    );
    for (let i = 0; i < 6; i++) {
      const decision = createDecision(`dec_1${i}`, Date.now(), { title: `restarted number ${i}` });
      opened.running.fake.publish({ kind: "decision", atMs: Date.now(), decision });
      await opened.page.getByText(`restarted number ${i}`).first().waitFor();
    }
    // The page's policy of content forbids what waitForFunction() does.
    let said: [number, string][] = [];
    while (said.length < 2) {
      await opened.page.waitForTimeout(100);
      said = (await opened.page.evaluate("window.said")) as [number, string][];
    }
    const gapMs = (said[1]?.[0] ?? 0) - (said[0]?.[0] ?? 0);
    assert.ok(gapMs > 4_900, String(gapMs));
    assert.match(said[1]?.[1] ?? "", /restarted number 5/);
  });
});
