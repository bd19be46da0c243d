// SPDX-License-Identifier: Apache-2.0
// Who may not ask: other hosts, other origins, other ports, guessers, and links that are spent.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, it } from "node:test";
import { SessionView, SignInLink } from "@fairlead/protocol/routes.ts";
import { Problem } from "@fairlead/protocol/views.ts";
import { send, startApi, TOKEN, type Reply, type TestApi } from "./testing/start-api.ts";

const JSON_TYPE = { "content-type": "application/json" };
const RESTART = JSON.stringify({ action: "restart", services: ["web"] });

function readId(reply: Reply): string {
  return Problem.parse(JSON.parse(reply.text)).id;
}

/** A request without the token. */
function bare(running: TestApi, path: string, options: Parameters<typeof send>[2] = {}) {
  return send({ host: "127.0.0.1", port: running.port }, path, options);
}

async function makeLink(running: TestApi): Promise<string> {
  const reply = await running.unix("/v1/sign-in-links", { method: "POST" });
  assert.equal(reply.status, 201, reply.text);
  return SignInLink.parse(JSON.parse(reply.text)).url;
}

function exchange(running: TestApi, once: string, headers: Record<string, string> = {}) {
  const origin = `http://127.0.0.1:${running.port}`;
  return bare(running, "/v1/session", {
    method: "POST",
    headers: { ...JSON_TYPE, origin, ...headers },
    body: JSON.stringify({ once }),
  });
}

async function signIn(running: TestApi): Promise<{ cookie: string; setCookie: string }> {
  const url = new URL(await makeLink(running));
  const reply = await exchange(running, url.searchParams.get("once") ?? "");
  assert.equal(reply.status, 201, reply.text);
  const setCookie = reply.headers["set-cookie"]?.[0] ?? "";
  return { setCookie, cookie: setCookie.split(";", 1)[0] ?? "" };
}

describe("hosts and origins", () => {
  let running: TestApi;
  before(async () => {
    running = await startApi();
  });
  after(() => running[Symbol.asyncDispose]());

  it("answers to the names of loopback with its own port", async () => {
    for (const name of ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"]) {
      const reply = await running.tcp("/v1/status", {
        headers: { host: `${name}:${running.port}` },
      });
      assert.equal(reply.status, 200, name);
    }
  });

  for (const host of [
    "attacker.example",
    "127.0.0.1",
    "127.0.0.1:1",
    "localhost.attacker.example",
    "127.0.0.1.nip.io",
    "[::]",
    "0.0.0.0",
    "user@127.0.0.1",
    "127.0.0.1:70000",
  ]) {
    it(`refuses the host ${JSON.stringify(host)}, with the token, on the API and on the page`, async () => {
      running.fake.calls.length = 0;
      for (const path of ["/v1/status", "/v1/events", "/"]) {
        const reply = await running.tcp(path, { headers: { host } });
        assert.ok(reply.status === 403 || reply.status === 400, `${path}: ${reply.status}`);
        assert.ok(["FL0508", "FL0519"].includes(readId(reply)));
      }
      assert.deepEqual(running.fake.calls, []);
    });
  }

  for (const head of [
    "GET /v1/status HTTP/1.0",
    "GET /v1/status HTTP/1.1\r\nHost:",
    "GET http://127.0.0.1/v1/status HTTP/1.1\r\nHost: x",
  ]) {
    it(`refuses ${JSON.stringify(head)}`, async () => {
      running.fake.calls.length = 0;
      const socket = connect(running.port, "127.0.0.1");
      socket.end(`${head}\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`);
      let text = "";
      for await (const chunk of socket) text += String(chunk);
      assert.match(text, /^HTTP\/1\.1 40[03] /);
      assert.deepEqual(running.fake.calls, []);
    });
  }

  it("refuses other origins for acts, events and reads, also other ports of this host", async () => {
    const { cookie } = await signIn(running);
    running.fake.calls.length = 0;
    const foreign = [
      "http://attacker.example",
      `http://127.0.0.1:${running.port + 1}`,
      "null",
      `https://127.0.0.1:${running.port}`,
    ];
    for (const headers of [
      ...foreign.map((origin) => ({ origin })),
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ]) {
      for (const path of ["/v1/events", "/v1/status"]) {
        const reply = await bare(running, path, { headers: { cookie, ...headers } });
        assert.equal(readId(reply), "FL0509", path);
      }
      const act = await bare(running, "/v1/scopes/shop/actions", {
        method: "POST",
        headers: { ...JSON_TYPE, cookie, ...headers },
        body: RESTART,
      });
      assert.equal(readId(act), "FL0509");
    }
    assert.deepEqual(running.fake.calls, []);
  });

  it("refuses an act by cookie that names no origin, and takes it with the own one", async () => {
    const { cookie } = await signIn(running);
    const act = (headers: Record<string, string>) =>
      bare(running, "/v1/scopes/shop/actions", {
        method: "POST",
        headers: { ...JSON_TYPE, cookie, ...headers },
        body: RESTART,
      });
    assert.equal(readId(await act({})), "FL0509");
    const own = await act({
      origin: `http://127.0.0.1:${running.port}`,
      "sec-fetch-site": "same-origin",
    });
    assert.equal(own.status, 200, own.text);
    assert.match(running.fake.calls.at(-1)?.actor ?? "", /^page session \d+$/);
  });

  it("sends no header that lets another origin read", async () => {
    const reply = await running.tcp("/v1/status");
    assert.deepEqual(
      Object.keys(reply.headers).filter((name) => name.startsWith("access-control")),
      [],
    );
  });

  it("every answer forbids frames, sniffing, referrers and inline script", async () => {
    for (const path of ["/v1/status", "/v1/nothing", "/", "/v1/openapi.json"]) {
      const { headers } = await running.tcp(path);
      assert.equal(headers["x-frame-options"], "DENY", path);
      assert.equal(headers["x-content-type-options"], "nosniff");
      assert.equal(headers["referrer-policy"], "no-referrer");
      const policy = String(headers["content-security-policy"]);
      assert.match(policy, /default-src 'none'/);
      assert.match(policy, /frame-ancestors 'none'/);
      assert.doesNotMatch(policy, /unsafe|\*|https?:/);
    }
  });
});

describe("tokens", () => {
  it("without a token every address is 401, those that do not exist too", async () => {
    await using running = await startApi();
    for (const path of [
      "/v1/status",
      "/v1/events",
      "/v1/openapi.json",
      "/v1/nothing",
      "/v1/capabilities",
    ]) {
      const reply = await bare(running, path);
      assert.equal(reply.status, 401, path);
      assert.match(String(reply.headers["www-authenticate"]), /^Bearer/);
    }
    assert.deepEqual(running.fake.calls, []);
  });

  it("near misses of the token are refused", async () => {
    await using running = await startApi({ failuresPerMinuteMax: 100 });
    for (const authorization of [
      `Bearer ${TOKEN.slice(0, -1)}`,
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.toUpperCase()}`,
      "Bearer",
      "Bearer ",
      `Basic ${TOKEN}`,
      TOKEN,
      "",
    ]) {
      const reply = await running.tcp("/v1/status", { headers: { authorization } });
      assert.equal(reply.status, 401, authorization);
    }
    assert.deepEqual(running.fake.calls, []);
  });

  it("ten wrong tokens in a minute close the door for a minute, but not the unix socket", async () => {
    await using running = await startApi();
    const guess = () => running.tcp("/v1/status", { headers: { authorization: "Bearer guess" } });
    for (let i = 0; i < 10; i++) assert.equal((await guess()).status, 401);
    const closed = await guess();
    assert.equal(closed.status, 429);
    assert.equal(closed.headers["retry-after"], "60");
    assert.equal((await running.tcp("/v1/status")).status, 429);
    assert.equal((await running.unix("/v1/status")).status, 200);
    running.advance(60_001);
    assert.equal((await running.tcp("/v1/status")).status, 200);
  });

  it("ten wrong links close the door too, and a signed-in page stays in", async () => {
    await using running = await startApi();
    const { cookie } = await signIn(running);
    for (let i = 0; i < 10; i++) assert.equal((await exchange(running, `guess${i}`)).status, 401);
    assert.equal((await exchange(running, "guess")).status, 429);
    assert.equal((await bare(running, "/v1/status", { headers: { cookie } })).status, 200);
  });

  it("secrets are in no log, no error and no answer but their own", async () => {
    await using running = await startApi();
    const url = new URL(await makeLink(running));
    const secret = url.searchParams.get("once") ?? "";
    await bare(running, `/?once=${secret}`);
    const { setCookie } = await signIn(running);
    const cookieSecret = setCookie.split(";", 1)[0]?.split("=")[1] ?? "";
    await running.tcp("/v1/status", { headers: { authorization: `Bearer ${TOKEN}wrong` } });
    const replies = await Promise.all(
      ["/v1/status", "/v1/capabilities", "/v1/openapi.json", "/v1/nothing"].map((path) =>
        running.tcp(path),
      ),
    );
    const seen = [...running.logged, ...replies.map((reply) => reply.text)].join("\n");
    for (const canary of [TOKEN, secret, cookieSecret]) {
      assert.ok(canary.length > 20);
      assert.ok(!seen.includes(canary));
    }
  });
});

describe("sign-in", () => {
  it("a link works once", async () => {
    await using running = await startApi();
    const url = new URL(await makeLink(running));
    assert.equal(url.origin, `http://127.0.0.1:${running.port}`);
    const secret = url.searchParams.get("once") ?? "";
    assert.equal((await exchange(running, secret)).status, 201);
    assert.equal(readId(await exchange(running, secret)), "FL0506");
  });

  it("a link is too old after ten minutes", async () => {
    await using running = await startApi();
    const url = new URL(await makeLink(running));
    running.advance(600_001);
    assert.equal(readId(await exchange(running, url.searchParams.get("once") ?? "")), "FL0506");
  });

  it("a page of another origin cannot spend a link", async () => {
    await using running = await startApi();
    const secret = new URL(await makeLink(running)).searchParams.get("once") ?? "";
    assert.equal(
      readId(await exchange(running, secret, { origin: "http://attacker.example" })),
      "FL0509",
    );
    assert.equal((await exchange(running, secret)).status, 201);
  });

  it("a page session and a stranger make no links; the token does", async () => {
    await using running = await startApi();
    const { cookie } = await signIn(running);
    const origin = `http://127.0.0.1:${running.port}`;
    const bySession = await bare(running, "/v1/sign-in-links", {
      method: "POST",
      headers: { cookie, origin },
    });
    assert.equal(bySession.status, 401);
    assert.equal((await bare(running, "/v1/sign-in-links", { method: "POST" })).status, 401);
    assert.equal((await running.tcp("/v1/sign-in-links", { method: "POST" })).status, 201);
  });

  it("the cookie is out of reach of scripts and of other sites, and named after the port", async () => {
    await using running = await startApi();
    const { setCookie } = await signIn(running);
    assert.match(setCookie, new RegExp(`^fairlead_${running.port}=`));
    for (const attribute of ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"]) {
      assert.ok(setCookie.includes(attribute), setCookie);
    }
  });

  it("a session given by an attacker is not taken over: sign-in always makes a new one", async () => {
    await using running = await startApi();
    const { cookie } = await signIn(running);
    const secret = new URL(await makeLink(running)).searchParams.get("once") ?? "";
    const reply = await exchange(running, secret, { cookie });
    assert.notEqual(reply.headers["set-cookie"]?.[0]?.split(";", 1)[0], cookie);
    assert.equal((await bare(running, "/v1/status", { headers: { cookie } })).status, 401);
  });

  it("signing out ends the session, and so does time", async () => {
    await using running = await startApi();
    const origin = `http://127.0.0.1:${running.port}`;
    const first = await signIn(running);
    const second = await signIn(running);
    const view = await bare(running, "/v1/session", { headers: { cookie: first.cookie } });
    assert.equal(SessionView.parse(JSON.parse(view.text)).signedIn, true);
    await bare(running, "/v1/session", {
      method: "DELETE",
      headers: { cookie: first.cookie, origin },
    });
    assert.equal(
      (await bare(running, "/v1/status", { headers: { cookie: first.cookie } })).status,
      401,
    );
    assert.equal(
      (await bare(running, "/v1/status", { headers: { cookie: second.cookie } })).status,
      200,
    );
    running.advance(12 * 3_600_000 + 1);
    assert.equal(
      (await bare(running, "/v1/status", { headers: { cookie: second.cookie } })).status,
      401,
    );
    const after = await bare(running, "/v1/session", { headers: { cookie: second.cookie } });
    assert.deepEqual(JSON.parse(after.text), { signedIn: false });
  });
});
