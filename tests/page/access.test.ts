// SPDX-License-Identifier: Apache-2.0
// Whether everybody can use the page: keyboard, contrast, narrow screens, size.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { TWO_NODES } from "#api/testing/fake-fleet.ts";
import { openPage, useBench, VIEWS, type OpenOptions } from "./open-page.ts";

/** So that the view of hosts has some. */
const prepare: OpenOptions["prepare"] = ({ nodes }) => void nodes.push(...TWO_NODES);

const bench = useBench();

/** What has the focus: its role or tag, its text, and whether the focus can be seen. */
async function readFocus(page: Page): Promise<{ text: string; visible: boolean }> {
  const found: unknown = await page.evaluate(`(() => {
    const one = document.activeElement;
    const style = getComputedStyle(one);
    return { text: one.textContent.trim() || one.getAttribute("aria-label") || one.placeholder || one.type || "", visible: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 };
  })()`);
  return found as { text: string; visible: boolean };
}

/** Presses Tab until the focus is on `text`; every stop on the way has to be visible. */
async function tabTo(page: Page, text: string): Promise<void> {
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press("Tab");
    const focus = await readFocus(page);
    assert.ok(focus.visible, `the focus on "${focus.text}" cannot be seen`);
    if (focus.text.startsWith(text)) return;
  }
  assert.fail(`Tab does not lead to "${text}"`);
}

/** Texts whose contrast with what lies behind them is below WCAG AA. */
const LOW_CONTRAST = `(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const parse = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return { rgb: [r, g, b], a };
  };
  const luminance = (rgb) => rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const { rgb, a } = parse(getComputedStyle(one).backgroundColor);
      if (a > 250) return rgb;
    }
    return parse("Canvas").rgb;
  };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let count = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (text === "" || !element.checkVisibility() || element.closest("noscript, script, .unseen, .skip")) continue;
    count++;
    const [a, b] = [luminance(parse(getComputedStyle(element).color).rgb), luminance(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) low.push(text + " " + ratio.toFixed(2));
  }
  return { low, count };
})()`;

/** Texts of several words that were squeezed to a column of letters. */
const THIN_TEXTS = `[...document.querySelectorAll("td, dd, p, li, span")]
  .filter((one) => one.checkVisibility() && !one.closest(".unseen") && one.children.length === 0)
  .filter((one) => one.textContent.length > 8 && one.getBoundingClientRect().width < 60 && one.getBoundingClientRect().height > 60)
  .map((one) => one.textContent)`;

describe("keyboard", () => {
  it("leads from the skip link to a service, its dialog, and back, with a focus that is seen", async () => {
    await using opened = await openPage(bench);
    const { page } = opened;
    await page.getByText("created web-2").waitFor();
    await tabTo(page, "Skip to content");
    await page.keyboard.press("Enter");
    assert.match((await readFocus(page)).text, /1 thing needs you/);
    assert.equal(page.url(), `${opened.origin}/`);
    await page.locator("body").press("Home");
    await page.evaluate("document.activeElement.blur(); document.querySelector('.skip').focus()");
    await tabTo(page, "Services");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Services", level: 1 }).waitFor();
    assert.equal((await readFocus(page)).text, "Services");
    await tabTo(page, "worker");
    await page.keyboard.press("Enter");
    await page.getByRole("complementary", { name: "Service worker" }).waitFor();
    assert.match((await readFocus(page)).text, /^worker/);
    await tabTo(page, "Restart");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").getByText("restart worker-1").waitFor();
    assert.deepEqual(await readFocus(page), { text: "Copy as CLI", visible: true });
    await tabTo(page, "Cancel");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    assert.equal((await readFocus(page)).text, "Restart");
    await page.keyboard.press("Escape");
    await page.getByRole("complementary").waitFor({ state: "detached" });
    assert.equal((await readFocus(page)).text, "worker");
    assert.deepEqual(opened.complaints, []);
  });

  it("opens and closes a decision's card", async () => {
    await using opened = await openPage(bench, { hash: "#/decisions" });
    const { page } = opened;
    const button = page.getByRole("button", { name: /restarted worker-2/ });
    await button.focus();
    await page.keyboard.press("Enter");
    assert.equal(await button.getAttribute("aria-expanded"), "true");
    await page.getByText("recreate worker-2: a restart comes first").waitFor();
    await page.keyboard.press("Space");
    assert.equal(await button.getAttribute("aria-expanded"), "false");
  });
});

describe("sight", () => {
  for (const colorScheme of ["light", "dark"] as const) {
    it(`every text has the contrast of WCAG AA in ${colorScheme}`, async () => {
      await using opened = await openPage(bench, { colorScheme, prepare });
      for (const view of VIEWS) {
        await opened.page.goto(`${opened.origin}/#/${view}`);
        await opened.page.locator(".mark:visible").first().waitFor();
        const { low, count } = (await opened.page.evaluate(LOW_CONTRAST)) as {
          low: string[];
          count: number;
        };
        assert.deepEqual(low, [], view);
        assert.ok(count > 15, `${view}: ${count} texts`);
      }
      assert.deepEqual(opened.complaints, []);
    });
  }

  it("light and dark are what the system asks for", async () => {
    const grounds = [];
    for (const colorScheme of ["light", "dark"] as const) {
      await using opened = await openPage(bench, { colorScheme });
      grounds.push(await opened.page.evaluate("getComputedStyle(document.body).backgroundColor"));
    }
    assert.deepEqual(grounds, ["rgb(244, 246, 247)", "rgb(17, 22, 26)"]);
  });

  it("fits 360 pixels without scrolling sideways", async () => {
    await using opened = await openPage(bench, { width: 360, height: 740, prepare });
    for (const view of VIEWS) {
      await opened.page.goto(`${opened.origin}/#/${view}`);
      await opened.page.locator(".mark:visible").first().waitFor();
      assert.equal(await opened.page.evaluate("document.documentElement.scrollWidth"), 360, view);
      const thin: unknown = await opened.page.evaluate(THIN_TEXTS);
      assert.deepEqual(thin, [], view);
    }
  });

  it("every state has a word beside its shape", async () => {
    await using opened = await openPage(bench, { hash: "#/services" });
    await opened.page.locator("tbody tr").first().waitFor();
    const words = await opened.page.locator("tbody .mark").allInnerTexts();
    assert.deepEqual(words, ["ok", "ok", "healing", "quarantined", "completed"]);
  });

  it("headings, tables and fields have names", async () => {
    await using opened = await openPage(bench, { prepare });
    for (const view of VIEWS) {
      await opened.page.goto(`${opened.origin}/#/${view}`);
      await opened.page.locator(".mark:visible").first().waitFor();
      assert.equal(await opened.page.locator("h1").count(), 1);
      const nameless = await opened.page
        .evaluate(`[...document.querySelectorAll("button, a, input, select")]
        .filter((one) => !(one.textContent.trim() || one.getAttribute("aria-label") || one.labels?.length)).map((one) => one.outerHTML)`);
      assert.deepEqual(nameless, []);
    }
  });
});

describe("weight", () => {
  it("all scripts together are below 90 kB compressed, and nothing is inline", () => {
    const assets = join(bench.pageDirectory, "assets");
    const scripts = readdirSync(assets).filter((name) => name.endsWith(".js"));
    const sizeBytes = scripts.reduce(
      (sum, name) => sum + gzipSync(readFileSync(join(assets, name))).byteLength,
      0,
    );
    assert.ok(sizeBytes < 90_000, `${sizeBytes} bytes`);
    const html = readFileSync(join(bench.pageDirectory, "index.html"), "utf8");
    assert.doesNotMatch(html, /<script(?![^>]*src=)|<style|style=|https?:/);
  });

  it("assets are kept by the browser for ever, the page itself never", async () => {
    await using opened = await openPage(bench);
    const [script = ""] = readdirSync(join(bench.pageDirectory, "assets"));
    const asset = await opened.running.tcp(`/assets/${script}`);
    assert.match(String(asset.headers["cache-control"]), /immutable/);
    assert.equal((await opened.running.tcp("/")).headers["cache-control"], "no-store");
    assert.equal((await opened.running.tcp("/assets/nothing.js")).status, 404);
  });
});
