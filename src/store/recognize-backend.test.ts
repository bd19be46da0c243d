// SPDX-License-Identifier: Apache-2.0
// A driver that is given the address of another store says which store that is, and what to say instead.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { isKind } from "#base/errors.ts";
import { openConsulStore } from "./drivers/consul/driver.ts";
import { openEtcdStore } from "./drivers/etcd/driver.ts";
import { storeErrors } from "./errors.ts";
import { createConsulStandIn } from "./testing/consul-stand-in/serve.ts";
import { systemClock as clock } from "./testing/system-clock.ts";

/** Answers as what stands there: texts by path, and 404 to everything else. */
async function serve(answers: Readonly<Record<string, string>>) {
  const server = createServer((request, response) => {
    const text = answers[request.url ?? ""];
    response.statusCode = text === undefined ? 404 : 200;
    response.end(text ?? "404 page not found");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await once(server.close(), "close");
    },
  };
}

test("etcd where Consul is meant: the error names both, and how etcd is said", async () => {
  // What etcd 3.4 and 3.5 answer on the port of their clients.
  await using etcd = await serve({ "/version": '{"etcdserver":"3.4.23","etcdcluster":"3.4.0"}' });
  const { endpoint } = etcd;
  await assert.rejects(openConsulStore({ endpoints: [endpoint] }, { clock }), (thrown) => {
    assert.ok(isKind(thrown, storeErrors["store-other-kind"]), String(thrown));
    assert.equal(thrown.message, `${endpoint} is etcd, not Consul`);
    assert.deepEqual(thrown.facts, { endpoint, "answers to GET /version": "3.4.23" });
    assert.match(thrown.remedy, /store migrate --to etcd/);
    return true;
  });
});

test("Consul where etcd is meant: the error names both, and how Consul is said", async () => {
  await using consul = createConsulStandIn({ clock });
  const { endpoint } = await consul.open();
  const options = { endpoints: [endpoint], attemptTimeoutMs: 300 };
  await assert.rejects(openEtcdStore(options, { clock }), (thrown) => {
    assert.ok(isKind(thrown, storeErrors["store-other-kind"]), String(thrown));
    assert.equal(thrown.message, `${endpoint} is Consul, not etcd`);
    assert.match(thrown.remedy, /consul:\/\/HOST:PORT/);
    return true;
  });
});

test("what is neither is told as it answered", async () => {
  await using other = await serve({ "/version": "<html>welcome</html>" });
  await assert.rejects(openConsulStore({ endpoints: [other.endpoint] }, { clock }), (thrown) => {
    assert.ok(isKind(thrown, storeErrors["store-unavailable"]), String(thrown));
    assert.match(thrown.message, /is not Consul.*404 page not found/);
    return true;
  });
});
