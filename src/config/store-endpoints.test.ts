// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { baseErrors, isKind } from "#base/errors.ts";
import {
  explainStoreEndpoints,
  parseStoreEndpoints,
  readStorePlace,
  renderStoreEndpoints,
} from "./store-endpoints.ts";

test("addresses are of etcd unless they say consul", () => {
  const etcd = { kind: "etcd", endpoints: ["a:2379", "[fd00::1]:2379"] };
  assert.deepEqual(parseStoreEndpoints("a:2379,[fd00::1]:2379"), etcd);
  assert.deepEqual(parseStoreEndpoints("etcd://a:2379,[fd00::1]:2379"), etcd);
  const consul = { kind: "consul", endpoints: ["a:8500", "b:8500"] };
  for (const text of ["consul://a:8500,b:8500", "consul://a:8500,consul://b:8500"])
    assert.deepEqual(parseStoreEndpoints(text), consul);
  assert.deepEqual(parseStoreEndpoints("a:8500,b:8500", "consul"), consul);
});

test("what is written is read as the same", () => {
  for (const text of ["a:1,b:2", "consul://a:1,consul://b:2"]) {
    const place = parseStoreEndpoints(text);
    assert.ok(place);
    assert.equal(renderStoreEndpoints(place).join(","), text);
  }
});

test("two kinds in one, another kind and what is no address are none", () => {
  for (const text of ["etcd://a:1,consul://b:1", "http://a:1", "a", "a:1,", "", "consul://a"])
    assert.equal(parseStoreEndpoints(text), undefined, text);
});

test("an address of the web is told as what it is for etcd and for Consul", () => {
  const rule = "has to be HOST:PORT, or consul://HOST:PORT, with commas between";
  assert.equal(
    explainStoreEndpoints("https://a:2379/,http://b:2379"),
    `${rule}: a:2379,b:2379 for etcd, consul://a:2379,b:2379 for Consul`,
  );
  for (const text of ["http://a", "a", "consul://a"])
    assert.equal(explainStoreEndpoints(text), rule);
});

test("settings that name one kind and addresses of another are refused", () => {
  assert.equal(readStorePlace({ kind: "consul", endpoints: "a:8500" }).kind, "consul");
  assert.equal(readStorePlace({ kind: "sqlite", endpoints: "consul://a:8500" }).kind, "consul");
  assert.throws(
    () => readStorePlace({ kind: "etcd", endpoints: "consul://a:8500" }),
    (thrown) => isKind(thrown, baseErrors["invalid-argument"]),
  );
});
