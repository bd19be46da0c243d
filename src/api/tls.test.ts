// SPDX-License-Identifier: Apache-2.0
// The API with TLS: what it takes, what it is called, and that nothing goes in plain text.
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:https";
import { describe, test } from "node:test";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { FairleadError } from "#base/errors.ts";
import { makeServerCertificate } from "#identity/server-certificate.ts";
import { send, startApi, TOKEN, type Reply, type Send } from "./testing/start-api.ts";

const NAMES = ["node-a.example", "localhost", "127.0.0.1"];

async function open(stack: AsyncDisposableStack) {
  const running = stack.use(await startApi());
  const tls = await makeServerCertificate({ names: NAMES, nowMs: Date.now() });
  const { port, origin } = await running.api.listenTcp("127.0.0.1", 0, tls);
  const ask = (path: string, host: string, { method = "GET", headers = {}, body }: Send = {}) =>
    new Promise<Reply>((resolve, reject) => {
      const length = body === undefined ? {} : { "content-length": String(body.length) };
      const sent = request(
        {
          host: "127.0.0.1",
          servername: "localhost",
          port,
          path,
          method,
          ca: tls.certificate,
          agent: false,
          headers: { ...length, host, ...headers },
        },
        (answer) => {
          let text = "";
          answer.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
          answer.on("end", () =>
            resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }),
          );
        },
      );
      sent.on("error", reject).end(body);
    });
  return { running, port, origin, tls, ask };
}

const bearer = { authorization: `Bearer ${TOKEN}` };

describe("the API with TLS", () => {
  test("answers to the names of its certificate with its port, and to no other", async () => {
    await using stack = new AsyncDisposableStack();
    const { ask, port, origin } = await open(stack);
    assert.equal(origin, `https://127.0.0.1:${port}`);
    for (const name of NAMES) {
      const { status } = await ask("/v1/status", `${name}:${port}`, { headers: bearer });
      assert.equal(status, 200, name);
    }
    for (const host of [`evil.example:${port}`, `127.0.0.2:${port}`, "localhost", "localhost:1"]) {
      const { status, text } = await ask("/v1/status", host, { headers: bearer });
      assert.equal(status, 403, host);
      assert.match(text, /host/);
    }
  });

  test("gives a cookie that goes by TLS only, and takes acts of its own https origin alone", async () => {
    await using stack = new AsyncDisposableStack();
    const { ask, port } = await open(stack);
    const host = `localhost:${port}`;
    const json = { "content-type": "application/json" };
    const signedIn = await ask("/v1/session", host, {
      method: "POST",
      headers: json,
      body: JSON.stringify({ token: TOKEN }),
    });
    assert.equal(signedIn.status, 201);
    const [cookie = ""] = signedIn.headers["set-cookie"] ?? [];
    assert.match(cookie, /; Secure/);
    assert.match(cookie, /; HttpOnly/);
    const act = (origin: string) =>
      ask("/v1/identities/rotate", host, {
        method: "POST",
        headers: { cookie: cookie.split(";")[0] ?? "", origin },
      });
    assert.equal((await act(`https://${host}`)).status, 200);
    assert.equal((await act(`http://${host}`)).status, 403);
    assert.equal((await act("https://evil.example")).status, 403);
  });

  test("speaks TLS 1.3 alone: no older version, no plain text", async () => {
    await using stack = new AsyncDisposableStack();
    const { port, tls } = await open(stack);
    const dial = async (options: ConnectionOptions): Promise<string> => {
      const socket = connectTls({ host: "127.0.0.1", port, ca: tls.certificate, ...options });
      try {
        await once(socket, "secureConnect");
        return socket.getProtocol() ?? "";
      } catch (thrown) {
        return String(thrown);
      } finally {
        socket.destroy();
      }
    };
    assert.equal(await dial({ servername: "localhost" }), "TLSv1.3");
    assert.match(
      await dial({ servername: "localhost", maxVersion: "TLSv1.2" }),
      /protocol version/,
    );
    assert.match(await dial({ ca: [], servername: "localhost" }), /self-signed|certificate/);
    await assert.rejects(send({ host: "127.0.0.1", port }, "/v1/status"));
  });

  test("what is no certificate is refused with its reason; off loopback nothing is listened on without one", async () => {
    await using running = await startApi();
    const idOf = (work: Promise<unknown>): Promise<string> =>
      work.then(
        () => "",
        (error: unknown) => (error instanceof FairleadError ? error.kind.id : String(error)),
      );
    const wrong = { certificate: "no", key: "no" };
    assert.equal(await idOf(running.api.listenTcp("127.0.0.1", 0, wrong)), "FL0523");
    assert.equal(await idOf(running.api.listenTcp("0.0.0.0", 0)), "FL0501");
  });
});
