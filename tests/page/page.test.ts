// SPDX-License-Identifier: Apache-2.0
// What a person sees and does on the page, in a real browser.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Page } from "playwright-core";
import { createDecision, createInstance, createService } from "#api/testing/fake-data.ts";
import { TWO_NODES } from "#api/testing/fake-fleet.ts";
import { openPage, showView, useBench } from "./open-page.ts";

const bench = useBench();

/** The select whose label begins with `label`. */
function findChoice(page: Page, label: string) {
  return page.locator("label", { hasText: new RegExp(`^${label}`) }).locator("select");
}

describe("views", () => {
  it("Now says in one sentence how things are, with alerts, restless services and decisions", async () => {
    await using opened = await openPage(bench);
    const { page } = opened;
    await page
      .getByRole("heading", { name: "1 thing needs you. 3 of 5 services are as wanted." })
      .waitFor();
    const alerts = page.getByRole("region", { name: "Alerts" });
    assert.match(await alerts.innerText(), /report keeps exiting with code 1/);
    const restless = page.getByRole("region", { name: "Services that are not as wanted" });
    assert.equal(await restless.getByRole("listitem").count(), 2);
    await alerts.getByRole("link", { name: /why/ }).click();
    await page.getByRole("heading", { name: "quarantined report" }).waitFor();
    assert.deepEqual(opened.complaints, []);
  });

  it("Services shows each service with its state as a word, its budget and its reason", async () => {
    await using opened = await openPage(bench, { hash: "#/services" });
    const row = opened.page.getByRole("row", { name: /report/ });
    const text = await row.innerText();
    for (const part of [
      "quarantined",
      "0 of 1 running",
      "5 of 5",
      "it exits with code 1",
      "1 warning",
    ]) {
      assert.ok(text.includes(part), part);
    }
    await opened.page.getByRole("checkbox", { name: /only those/ }).check();
    assert.equal(await opened.page.locator("tbody tr").count(), 2);
    assert.match(opened.page.url(), /only=restless/);
    await opened.page.getByRole("searchbox").fill("work");
    assert.equal(await opened.page.locator("tbody tr").count(), 1);
    await opened.page.reload();
    await opened.page.locator("tbody tr").first().waitFor();
    assert.equal(await opened.page.locator("tbody tr").count(), 1);
  });

  it("a service's drawer has instances, warnings with their line, the explanation and the logs", async () => {
    await using opened = await openPage(bench, { hash: "#/services/shop/report" });
    const drawer = opened.page.getByRole("complementary", { name: "Service report" });
    await drawer
      .getByText("all of", { exact: false })
      .or(drawer.getByText("config: missing REPORT_BUCKET"))
      .first()
      .waitFor();
    const text = await drawer.innerText();
    for (const part of [
      "compose.yaml:44",
      "did you mean fairlead.heal?",
      "exited, exit code 1",
      "process ended with code 1",
      "restart max=5/10m",
      "compose.yaml:43",
      "the budget of 5 acts in 10 minutes is used up",
      "nothing until a person acts",
    ]) {
      assert.ok(text.includes(part), part);
    }
  });

  it("Decisions are filtered by service, outcome, kind and text, and the address keeps it", async () => {
    await using opened = await openPage(bench, { hash: "#/decisions" });
    const { page } = opened;
    const cards = page.locator("article.card");
    await cards.first().waitFor();
    assert.equal(await cards.count(), 4);
    await findChoice(page, "Service").selectOption("report");
    assert.equal(await cards.count(), 2);
    await findChoice(page, "Outcome").selectOption("failed");
    assert.equal(await cards.count(), 1);
    await page.reload();
    await cards.first().waitFor();
    assert.equal(await cards.count(), 1);
    await findChoice(page, "Outcome").selectOption("");
    await findChoice(page, "Kind").selectOption("service.quarantine");
    assert.match(await cards.first().innerText(), /quarantined report/);
    await page.getByRole("searchbox").fill("nowhere");
    await page.getByText("No decision matches.").waitFor();
    await page.goto(`${opened.origin}/#/decisions/dec_0`);
    await page.getByText('no decision "dec_0"').waitFor();
  });

  it("Hosts shows what runs on which host, who does not answer, and what lies between them", async () => {
    await using opened = await openPage(bench, {
      hash: "#/hosts",
      prepare({ fake, nodes }) {
        nodes.push(...TWO_NODES);
        const instances = ["node-a", "node-b"].map((on, i) =>
          createInstance("web", i + 1, 0, { node: on, health: i === 0 ? "none" : "starting" }),
        );
        fake.services.splice(0, fake.services.length, createService("web", instances));
      },
    });
    const far = opened.page.getByRole("region", { name: "Host node-b" });
    await far.getByText("web-2").waitFor();
    assert.match(await far.innerText(), /suspect[^]*silent for 1.3s[^]*web-2 starting/);
    const near = opened.page.getByRole("region", { name: "Host node-a" });
    assert.match(await near.innerText(), /web-1/);
    const between = opened.page.getByRole("region", { name: "Between hosts" });
    assert.match(await between.innerText(), /node-a – node-b[^]*0.42 ms[^]*none spans them/);
    await near.getByRole("link", { name: "web-1" }).click();
    await opened.page.getByRole("complementary", { name: "Service web" }).waitFor();
    assert.deepEqual(opened.complaints, []);
  });

  it("nothing known is shown as unknown, not as none", async () => {
    await using opened = await openPage(bench, {
      prepare: ({ fake }) => {
        fake.obstacle = "hang";
      },
    });
    const text = await opened.page.locator("main").innerText();
    assert.match(text, /Waiting for the node/);
    assert.match(text, /Not known yet/);
    assert.doesNotMatch(text, /\b0\b|None/);
  });

  it("an engine that was never read leaves counts and lists unknown", async () => {
    await using opened = await openPage(bench, {
      prepare: ({ fake }) => {
        const { asOfMs: _, ...engine } = fake.status.engine;
        fake.status = { ...fake.status, engine: { ...engine, reachable: false }, services: 0 };
        fake.services.length = 0;
      },
    });
    await opened.page.getByText("the engine was not read yet").waitFor();
    assert.doesNotMatch(await opened.page.locator(".facts").innerText(), /0 services/);
    await showView(opened, "services");
    await opened.page.getByText("Not known yet.").waitFor();
  });

  it("an engine that does not answer is said on every view", async () => {
    await using opened = await openPage(bench, {
      prepare: ({ fake }) => {
        const engine = { ...fake.status.engine, reachable: false, problem: "connect ENOENT" };
        fake.status = { ...fake.status, engine };
        fake.missing = ["engine: connect ENOENT", "stats of web-1"];
      },
    });
    for (const view of ["", "services", "decisions"]) {
      await showView(opened, view);
      await opened.page.getByText("The Docker Engine does not answer (connect ENOENT)").waitFor();
      await opened.page.getByText("Lists are not whole; missing: stats of web-1.").waitFor();
    }
  });
});

describe("hostile text", () => {
  it("markup in names, reasons, decisions and logs is text, and control sequences are gone", async () => {
    const evil = '<img src=x onerror="window.pwned=1"><script>window.pwned=2</script>';
    await using opened = await openPage(bench, {
      prepare: ({ fake }) => {
        const instance = createInstance(evil, 1, Date.now(), {
          name: evil,
          state: evil,
          image: evil,
        });
        fake.services.push(
          createService(evil, [instance], {
            state: "degraded",
            reason: evil,
            image: evil,
            heal: evil,
            at: { file: evil, line: 1 },
            warnings: [
              {
                severity: "warning",
                id: evil,
                slug: evil,
                message: evil,
                hint: "javascript:window.pwned=3",
              },
            ],
          }),
        );
        fake.decisions.unshift(
          createDecision("dec_0000000000000Z", Date.now(), {
            title: evil,
            service: evil,
            object: evil,
            actor: evil,
            rule: { text: evil, at: { file: evil } },
            inputs: { [evil]: evil },
            result: evil,
            before: {
              state: evil,
              healthOutput: `\u001B[2J${evil}`,
              logTail: [`\u001B]0;title\u0007${evil}`],
            },
          }),
        );
        fake.logs.push({
          scope: "shop",
          service: evil,
          instance: evil,
          stream: "stdout",
          atMs: 1,
          text: `\u001B[31mred\u001B[0m ${evil} \u202Etxt.exe`,
        });
      },
    });
    const { page } = opened;
    const name = encodeURIComponent(evil);
    for (const view of [
      "",
      "services",
      `services/shop/${name}`,
      "decisions",
      "decisions/dec_0000000000000Z",
      `decisions/${name}`,
      name,
    ]) {
      await showView(opened, view);
      await page.waitForTimeout(200);
      assert.equal(await page.evaluate("window.pwned"), undefined);
      assert.equal(await page.locator("img[src=x], main script").count(), 0);
    }
    await showView(opened, `services/shop/${name}`);
    const line = page.locator(".log-text").first();
    await line.waitFor();
    assert.equal(await line.innerText(), `red ${evil} \uFFFDtxt.exe`);
    await page.getByRole("button", { name: "Restart", exact: true }).click();
    const command = await page.locator("dialog code").innerText();
    assert.equal(command, `fairlead restart '${evil}' --scope shop`);
    // The address of a decision that is no decision is a 404 and is said so by the browser.
    assert.deepEqual(
      opened.complaints.filter((text) => !text.includes("404")),
      [],
    );
  });
});

describe("acts", () => {
  it("a restart shows its plan first, and happens only when confirmed", async () => {
    await using opened = await openPage(bench, { hash: "#/services/shop/worker" });
    const { page } = opened;
    const acts = () =>
      opened.running.fake.calls.filter((call) => call.name === "act").map((call) => call.args[1]);
    await page.getByRole("button", { name: "Restart", exact: true }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("restart worker-1").waitFor();
    assert.match(await dialog.innerText(), /fairlead restart worker --scope shop/);
    await dialog.getByRole("button", { name: "Cancel" }).click();
    const dryRun = { action: "restart", services: ["worker"], dryRun: true };
    assert.ok(acts().every((one) => JSON.stringify(one) === JSON.stringify(dryRun)));
    await page.getByRole("button", { name: "Restart", exact: true }).click();
    await dialog.getByText("restart worker-1").waitFor();
    await dialog.getByRole("button", { name: "Restart", exact: true }).click();
    await dialog.waitFor({ state: "detached" });
    assert.deepEqual(acts().at(-1), { action: "restart", services: ["worker"] });
    assert.deepEqual(opened.complaints, []);
  });

  it("a pause has an end, shows at once, and can be taken back", async () => {
    await using opened = await openPage(bench, { hash: "#/services/shop/worker" });
    const { page } = opened;
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await findChoice(page, "For").selectOption("15m");
    assert.match(
      await page.getByRole("dialog").innerText(),
      /fairlead pause worker --for 15m --scope shop/,
    );
    await page.getByRole("dialog").getByRole("button", { name: "Pause", exact: true }).click();
    await page.getByRole("button", { name: "Resume", exact: true }).waitFor();
    const call = opened.running.fake.calls.findLast((one) => one.name === "act");
    assert.deepEqual(call?.args, [
      "shop",
      { action: "pause", services: ["worker"], forMs: 900_000 },
    ]);
    assert.match(call?.actor ?? "", /^page session/);
    await page.getByRole("button", { name: "Resume", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Resume", exact: true }).click();
    await page.getByRole("button", { name: "Pause", exact: true }).waitFor();
  });

  it("logs follow, and stop following when told to", async () => {
    await using opened = await openPage(bench, { hash: "#/services/shop/web" });
    const { page, running } = opened;
    await page.locator(".log-text").first().waitFor();
    const line = (text: string) =>
      ({
        scope: "shop",
        service: "web",
        instance: "shop-web-1",
        stream: "stdout",
        atMs: Date.now(),
        text,
      }) as const;
    running.fake.logs.push(line("a later line"));
    await page.getByText("a later line").waitFor();
    await page.getByRole("button", { name: "Stop following" }).click();
    await page.getByRole("button", { name: "Follow again" }).waitFor();
    while (running.api.streams > 1) await new Promise((resolve) => setTimeout(resolve, 10));
  });
});
