// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { buildInstance } from "#brain/testing/builders.ts";
import type { ZoneService } from "#discovery/dns/zone.ts";
import { listContainerServices } from "./naming.ts";

const name = (labels: Record<string, string>, parts = {}): readonly ZoneService[] =>
  listContainerServices([buildInstance({ labels, ...parts })]);
const portsOf = (text: string): string[] =>
  (name({ "fairlead.port": text })[0]?.members[0]?.ports ?? []).map(
    (port) => `_${port.name}._${port.protocol} ${port.port}`,
  );

describe("what a container is called in DNS", () => {
  test("is its service, or what its label says", () => {
    assert.equal(name({})[0]?.name, "web");
    assert.equal(name({ "fairlead.name": "front" })[0]?.name, "front");
    for (const bad of ["", "a b", "-x", "x/y"])
      assert.equal(name({ "fairlead.name": bad })[0]?.name, "web");
  });

  test("is one name for all that say it", () => {
    const services = listContainerServices([
      buildInstance({ service: "blue", labels: { "fairlead.name": "front" } }),
      buildInstance({ service: "green", labels: { "fairlead.name": "front" } }),
      buildInstance({ service: "other" }),
    ]);
    assert.deepEqual(
      services.map((one) => [one.name, one.members.length]),
      [
        ["front", 2],
        ["other", 1],
      ],
    );
  });
});

describe("the ports of a container in DNS", () => {
  test("are what its label says, by number and by what is spoken", () => {
    assert.deepEqual(portsOf("8080/http"), ["_8080._tcp 8080", "_http._tcp 8080"]);
    assert.deepEqual(portsOf("53/udp, 9000/mcp 70"), [
      "_53._udp 53",
      "_9000._tcp 9000",
      "_mcp._tcp 9000",
      "_70._tcp 70",
    ]);
    assert.deepEqual(portsOf("80/tcp"), ["_80._tcp 80"]);
    for (const bad of ["", "0/http", "70000", "http", "80/"])
      assert.deepEqual(portsOf(bad), [], bad);
  });

  test("are beside those that it publishes, each once", () => {
    const ports = [{ hostIp: "", hostPort: 1, containerPort: 8080, protocol: "tcp" }];
    const [web] = name({ "fairlead.port": "8080/http" }, { ports });
    assert.deepEqual(
      web?.members[0]?.ports.map((port) => port.name),
      ["8080", "http"],
    );
  });
});
