// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { buildRecord } from "#discovery/testing/build-record.ts";
import { listZoneServices } from "./list-zone-services.ts";
import { encodeAddress, encodeName, reverseName, TYPE } from "./wire.ts";
import { createZone, type Zone, type ZoneService } from "./zone.ts";

/** Texts of the addresses that a name has. */
function addressesOf(zone: Zone, name: string): string[] {
  const records = zone.find(encodeName(`${name}.fairlead.internal`))?.records.get(TYPE.A) ?? [];
  return records.map(({ bytes }) => [...bytes].join(".")).sort();
}

const NAMES = ["a", "b", "c"];
const ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];
const LABELS = ["1", "2", "3"];

const memberOf = fc.record(
  {
    label: fc.constantFrom(...LABELS),
    addresses: fc.subarray(ADDRESSES),
    ports: fc.constant([{ name: "http", port: 80, protocol: "tcp" as const }]),
  },
  { noNullPrototype: true },
);
const serviceOf = fc.record(
  {
    scope: fc.constantFrom("s", "t"),
    name: fc.constantFrom(...NAMES),
    members: fc.uniqueArray(memberOf, { maxLength: 3, selector: ({ label }) => label }),
  },
  { noNullPrototype: true },
);
const changeOf = fc.record({ service: serviceOf, removed: fc.boolean() });

/** What must hold of a zone that has these services and no others. */
function check(zone: Zone, services: ReadonlyMap<string, ZoneService>): void {
  for (const scope of ["s", "t"]) {
    const there = [...services.values()].filter((service) => service.scope === scope);
    const node = zone.find(encodeName(`${scope}.fairlead.internal`));
    assert.equal(node !== undefined, there.length > 0, `scope ${scope}`);
    for (const name of NAMES) {
      const service = services.get(`${scope}/${name}`);
      const key = encodeName(`${name}.${scope}.fairlead.internal`);
      assert.equal(zone.find(key) !== undefined, service !== undefined);
      const wanted = new Set(service?.members.flatMap(({ addresses }) => addresses));
      assert.deepEqual(addressesOf(zone, `${name}.${scope}`), [...wanted].sort());
      for (const label of LABELS) {
        const member = service?.members.find((other) => other.label === label);
        const own = addressesOf(zone, `${label}.${name}.${scope}`);
        assert.deepEqual(own, [...(member?.addresses ?? [])].sort());
      }
      const ports = zone.find(encodeName(`_http._tcp.${name}.${scope}.fairlead.internal`));
      assert.equal(ports?.records.get(TYPE.SRV)?.length ?? 0, service?.members.length ?? 0);
    }
  }
  const all = [...services.values()].flatMap(({ members }) => members);
  for (const address of ADDRESSES) {
    const count = all.filter(({ addresses }) => addresses.includes(address)).length;
    const node = zone.find(reverseName(encodeAddress(address)));
    assert.equal(node?.records.get(TYPE.PTR)?.length ?? 0, count);
    assert.equal(node !== undefined, count > 0);
  }
}

test("after any changes the zone says what was put last, and nothing else", () => {
  fc.assert(
    fc.property(fc.array(changeOf, { maxLength: 20 }), (changes) => {
      const zone = createZone();
      const services = new Map<string, ZoneService>();
      for (const { service, removed } of changes) {
        const id = `${service.scope}/${service.name}`;
        if (removed) {
          zone.remove(service.scope, service.name);
          services.delete(id);
        } else {
          zone.put(service);
          services.set(id, service);
        }
        check(zone, services);
      }
    }),
  );
});

test("a service that DNS cannot carry changes nothing", () => {
  const zone = createZone();
  zone.put({ scope: "s", name: "a", members: [{ addresses: ["10.0.0.1"], ports: [] }] });
  const bad = { scope: "s", name: "a", members: [{ addresses: ["10.0.0.x"], ports: [] }] };
  assert.throws(() => zone.put(bad), { name: "FairleadError" });
  assert.throws(() => zone.put({ ...bad, name: "a..b" }), { name: "FairleadError" });
  assert.deepEqual(addressesOf(zone, "a.s"), ["10.0.0.1"]);
});

test("the address of a service has a name of its own, and goes with it", () => {
  const zone = createZone();
  const members = [{ label: "1", addresses: ["10.0.0.1"], ports: [] }];
  zone.put({ scope: "s", name: "a", members, addresses: ["198.18.0.7"] });
  assert.deepEqual(addressesOf(zone, "address.a.s"), ["198.18.0.7"]);
  assert.deepEqual(addressesOf(zone, "a.s"), ["10.0.0.1"]);
  zone.put({ scope: "s", name: "a", members });
  assert.equal(zone.find(encodeName("address.a.s.fairlead.internal")), undefined);
});

test("addresses of both families are written as they travel", () => {
  const hex = (text: string): string => encodeAddress(text).toString("hex");
  assert.equal(hex("10.0.0.255"), "0a0000ff");
  assert.equal(hex("::"), "0".repeat(32));
  assert.equal(hex("fd00::1:2"), "fd00000000000000000000000001" + "0002");
  assert.equal(hex("::ffff:10.0.0.1"), "00000000000000000000ffff0a000001");
  assert.equal(hex("1:2:3:4:5:6:7:8"), "00010002000300040005000600070008");
});

describe("records of the registry", () => {
  test("healthy agents of one name are members of one service, the others are left out", () => {
    const services = listZoneServices([
      buildRecord("agt_A", { name: "planner", addresses: ["10.0.0.5:7000", "[fd00::5]:7000"] }),
      buildRecord("agt_B", { name: "planner", healthy: false }),
      buildRecord("agt_C", { name: "planner", draining: true }),
      buildRecord("agt_D", { name: "critic", healthy: false }),
    ]);
    const ports = [{ name: "fairlead", port: 7_000, protocol: "tcp" }];
    assert.deepEqual(services, [
      {
        scope: "lab",
        name: "planner",
        members: [{ label: "agt_a", addresses: ["10.0.0.5", "fd00::5"], ports }],
      },
      { scope: "lab", name: "critic", members: [] },
    ]);
  });

  test("addresses that DNS cannot answer with are passed over", () => {
    const addresses = [
      "host:80",
      "10.0.0.5",
      "10.0.0.5:99999",
      "[fe80::1%eth0]:1",
      ":1",
      "10.0.0.6:1",
    ];
    const [service] = listZoneServices([buildRecord("a", { addresses })]);
    assert.deepEqual(service?.members[0]?.addresses, ["10.0.0.6"]);
  });
});
