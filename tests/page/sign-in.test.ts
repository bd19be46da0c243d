// SPDX-License-Identifier: Apache-2.0
// Signing in with a link or a token, what a viewer sees, and what another site's page gets: in a real browser.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { makeLink, openPage, showView, useBench, VIEWS, type OpenedPage } from "./open-page.ts";

const bench = useBench();

/** Signs out and in again as ana, with the role that she has. */
async function enterAsAna({ page }: OpenedPage): Promise<void> {
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Or sign in with a token").fill("token-of-ana");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator(".connection.live").waitFor();
}

describe("signing in with a link", () => {
  it("a link signs in once, leaves the address bar, and a second browser is told why not", async () => {
    await using opened = await openPage(bench);
    assert.equal(opened.page.url(), `${opened.origin}/`);
    const link = await makeLink(opened.running);
    const first = await bench.browser.newContext();
    const page = await first.newPage();
    await page.goto(link);
    await page.locator(".connection.live").waitFor();
    assert.equal(await page.evaluate("history.length"), 2);
    const second = await bench.browser.newContext();
    const refused = await second.newPage();
    await refused.goto(link);
    await refused.getByText("was used already").waitFor();
    assert.ok(await refused.getByText("fairlead ui", { exact: true }).first().isVisible());
    assert.ok(!refused.url().includes("once"));
    await first.close();
    await second.close();
  });

  it("without a link the page explains how to get one, and shows nothing of the node", async () => {
    await using opened = await openPage(bench);
    const context = await bench.browser.newContext();
    const page = await context.newPage();
    await page.goto(opened.origin);
    await page.getByRole("heading", { name: "Sign in to this node" }).waitFor();
    const text = await page.locator("body").innerText();
    assert.match(text, /fairlead ui/);
    assert.doesNotMatch(text, /harbour|worker/);
    await context.close();
  });

  it("signing out ends the session for the next load too", async () => {
    await using opened = await openPage(bench);
    await opened.page.getByRole("button", { name: "Sign out" }).click();
    await opened.page.getByRole("heading", { name: "Sign in to this node" }).waitFor();
    await opened.page.reload();
    await opened.page.getByRole("heading", { name: "Sign in to this node" }).waitFor();
    assert.deepEqual(opened.complaints, []);
  });

  it("no request carries a referrer, and none leaves the node", async () => {
    await using opened = await openPage(bench);
    const referrers: string[] = [];
    opened.page.on("request", (request) => {
      const { referer } = request.headers();
      if (referer !== undefined && referer !== "") referrers.push(referer);
    });
    for (const view of VIEWS) await showView(opened, view);
    await opened.page.goto(await makeLink(opened.running));
    await opened.page.locator(".connection.live").waitFor();
    assert.deepEqual(referrers, []);
    assert.deepEqual(
      opened.requests.filter((url) => !url.startsWith(opened.origin)),
      [],
    );
  });
});

describe("signing in with a token", () => {
  it("says what is wrong with a wrong one, lets in by a right one, and keeps it nowhere", async () => {
    await using opened = await openPage(bench, {
      prepare: ({ users }) => users.set("ana", "admin"),
    });
    const { page, context } = opened;
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Or sign in with a token").fill("flu_000000000000_wrong");
    await page.getByRole("button", { name: "Sign in" }).click();
    const alert = page.getByRole("alert");
    await alert.waitFor();
    assert.match((await alert.textContent()) ?? "", /this token is not one of the node's/);
    await page.getByLabel("Or sign in with a token").fill("token-of-ana");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.locator(".connection.live").waitFor();
    await page.locator(".who").waitFor();
    assert.equal(await page.locator(".who").textContent(), "admin");
    const kept: unknown = await page.evaluate(
      "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, document.documentElement.outerHTML])",
    );
    assert.ok(!String(kept).includes("token-of-ana"));
    const cookies = await context.cookies();
    assert.ok(cookies.every(({ httpOnly, sameSite }) => httpOnly && sameSite === "Strict"));
    assert.ok(!JSON.stringify(cookies).includes("token-of-ana"));
  });
});

describe("a viewer", () => {
  it("sees all and presses nothing: buttons are disabled, and the reason stands beside them", async () => {
    await using opened = await openPage(bench, {
      prepare: ({ users }) => users.set("ana", "viewer"),
    });
    const { page, running } = opened;
    await enterAsAna(opened);
    await page.goto(`${opened.origin}/#/services/shop/report`);
    const restart = page.getByRole("button", { name: "Restart", exact: true });
    await restart.waitFor();
    await page.locator("#read-only").waitFor();
    assert.match((await page.locator("#read-only").textContent()) ?? "", /signed in as a viewer/);
    for (const name of ["Restart", "Pause", "Resume"])
      for (const button of await page.getByRole("button", { name, exact: true }).all()) {
        assert.ok(await button.isDisabled(), name);
        assert.equal(await button.getAttribute("aria-describedby"), "read-only");
      }
    // An admin makes her an operator: the page follows by itself.
    running.users.set("ana", "operator");
    await page.reload();
    await restart.waitFor();
    await page.locator("#read-only").waitFor({ state: "detached" });
    assert.ok(await restart.isEnabled());
  });
});

/** A page of another origin that tries what browsers let pages do, and says when it is through. */
function writeAttack(target: string): string {
  const url = (path: string): string => JSON.stringify(target + path);
  const body = JSON.stringify(JSON.stringify({ action: "restart", services: ["web"] }));
  return `<!doctype html><title>attack</title><iframe name="hole"></iframe>
    <form id="f" method="post" enctype="text/plain" target="hole" action=${url("/v1/scopes/shop/actions")}><input name='{"action":"restart","services":["web"],"x":"' value='"}'></form>
    <script>
      const tries = [];
      const ask = (path, init) => tries.push(fetch(path, { credentials: "include", ...init }).then(async (a) => "answer " + a.type + " " + (await a.text()), (e) => "blocked"));
      ask(${url("/v1/scopes/shop/actions")}, { method: "POST", mode: "no-cors", headers: { "content-type": "text/plain" }, body: ${body} });
      ask(${url("/v1/scopes/shop/actions")}, { method: "POST", headers: { "content-type": "application/json" }, body: ${body} });
      ask(${url("/v1/scopes/shop/actions")}, { method: "POST", mode: "no-cors", headers: { "content-type": "application/x-www-form-urlencoded" }, body: ${body} });
      ask(${url("/v1/identities/rotate")}, { method: "POST", mode: "no-cors" });
      ask(${url("/v1/users/eve")}, { method: "PUT", body: '{"role":"admin"}' });
      ask(${url("/v1/scopes/shop/intent")}, { method: "DELETE" });
      ask(${url("/v1/status")}, {});
      ask(${url("/v1/session")}, { method: "DELETE" });
      document.getElementById("f").submit();
      const image = new Image(); image.src = ${url("/v1/services")};
      const script = document.createElement("script"); script.src = ${url("/v1/services")}; document.body.append(script);
      const frame = document.createElement("iframe"); frame.src = ${url("/")}; document.body.append(frame);
      const channel = new EventSource(${url("/v1/events")}, { withCredentials: true });
      let heard = 0; channel.onmessage = () => heard++; channel.addEventListener("beat", () => heard++);
      const popup = window.open(${url("/")});
      Promise.all(tries).then((got) => setTimeout(() => {
        let seen = "nothing"; try { seen = frame.contentDocument?.body?.textContent ?? "nothing"; } catch {}
        let reached = "nothing"; try { reached = popup?.document?.title ?? "nothing"; } catch {}
        document.title = JSON.stringify({ got, heard, seen, reached });
      }, 1500));
    </script>`;
}

describe("a page of another site", () => {
  it("changes nothing and learns nothing, though the browser is signed in (S11)", async () => {
    await using opened = await openPage(bench);
    const { context, origin, running, page } = opened;
    const attacker = createServer((_, answer) => {
      answer.writeHead(200, { "content-type": "text/html" });
      answer.end(writeAttack(origin));
    });
    attacker.listen(0, "127.0.0.1");
    await once(attacker, "listening");
    const { port } = attacker.address() as AddressInfo;
    try {
      // Another port of this host is the same site to a browser, so that cookies go along; another name is another site.
      for (const host of ["127.0.0.1", "localhost"]) {
        running.fake.calls.length = 0;
        const evil = await context.newPage();
        await evil.goto(`http://${host}:${port}/`);
        await evil.waitForFunction("document.title.startsWith('{')");
        const { got, heard, seen, reached } = JSON.parse(await evil.title()) as {
          readonly got: readonly string[];
          readonly heard: number;
          readonly seen: string;
          readonly reached: string;
        };
        for (const answer of got) assert.match(answer, /^(blocked|answer opaque )$/, host);
        assert.deepEqual(
          [heard, seen, reached === "" ? "nothing" : reached],
          [0, "nothing", "nothing"],
        );
        const acts = running.fake.calls.map(({ name }) => name);
        assert.ok(
          !acts.some((name) => /rotate|restart|act|apply|remove|set/i.test(name)),
          acts.join(),
        );
        await evil.close();
      }
      await page.reload();
      await page.locator(".connection.live").waitFor();
    } finally {
      attacker.closeAllConnections();
      attacker.close();
    }
  });
});
