// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { createMemoryHost } from "./drivers/memory/driver.ts";
import { makeAttachment, makeEndpoint } from "./overlay-conformance.ts";
import type { OverlayAttachment, OverlayEndpoint } from "./overlay.ts";
import { listWantedEntries, nameDevice, planOverlay } from "./plan-overlay.ts";

const HOSTS = ["198.51.100.1", "198.51.100.2", "198.51.100.3"];

const endpoints = fc.uniqueArray(
  fc.record({ n: fc.integer({ min: 2, max: 40 }), host: fc.constantFrom(...HOSTS) }),
  { selector: ({ n }) => n, maxLength: 20 },
);

const attachments: fc.Arbitrary<OverlayAttachment[]> = fc.uniqueArray(
  fc
    .record({ at: fc.integer({ min: 0, max: 4 }), mtu: fc.constantFrom(1_400, 1_450), endpoints })
    .map(({ at, mtu, endpoints: list }) =>
      makeAttachment(
        list.map(({ n, host }) => makeEndpoint(n, host)),
        { name: `net${at}`, vni: 0x10_0000 + at, mtu },
      ),
    ),
  { selector: ({ network }) => network.vni, maxLength: 4 },
);

describe("planOverlay()", () => {
  test("leads from anything to what is wanted, and then to rest", async () => {
    await fc.assert(
      fc.asyncProperty(attachments, attachments, async (before, after) => {
        const { overlay } = createMemoryHost(["br-a"]);
        await overlay.apply(before);
        await overlay.apply(after);
        const facts = await overlay.observe();
        assert.deepEqual(planOverlay(after, facts), []);
        assert.deepEqual(
          facts.map(({ device }) => device).toSorted(),
          after.map(({ network }) => nameDevice(network.vni)).toSorted(),
        );
      }),
    );
  });

  test("touches only what is wrong", async () => {
    await fc.assert(
      fc.asyncProperty(attachments, fc.infiniteStream(fc.nat(3)), async (wanted, dice) => {
        const { overlay, devices } = createMemoryHost(["br-a"]);
        await overlay.apply(wanted);
        let gone = 0;
        for (const [device, fact] of devices) {
          const entries = fact.entries.filter(() => dice.next().value !== 0);
          gone += fact.entries.length - entries.length;
          devices.set(device, { ...fact, entries });
        }
        const changes = planOverlay(wanted, [...devices.values()]);
        assert.equal(changes.length, gone);
        assert.ok(changes.every(({ kind }) => kind === "add"));
      }),
    );
  });
});

describe("listWantedEntries()", () => {
  const refusals = (list: readonly OverlayEndpoint[]): readonly string[] =>
    listWantedEntries(makeAttachment(list)).refused.map(({ why }) => why);

  test("decides alike whatever the order is in which entries come", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc
            .record({
              n: fc.integer({ min: 2, max: 6 }),
              other: fc.integer({ min: 2, max: 6 }),
              host: fc.constantFrom(...HOSTS),
            })
            .map(({ n, other, host }) => ({
              ...makeEndpoint(n, host),
              addresses: makeEndpoint(other).addresses,
            })),
          { maxLength: 8 },
        ),
        (list) => {
          const { entries } = listWantedEntries(makeAttachment(list));
          assert.deepEqual(listWantedEntries(makeAttachment(list.toReversed())).entries, entries);
          for (const table of ["forward", "neighbour"] as const) {
            const keys = entries.filter((entry) => entry.table === table).map(({ key }) => key);
            assert.equal(new Set(keys).size, keys.length, `${table} has one entry a key`);
          }
        },
      ),
    );
  });

  test("says why it refuses", () => {
    const own = makeEndpoint(2, HOSTS[0]);
    assert.deepEqual(refusals([own, makeEndpoint(3)]), []);
    assert.deepEqual(refusals([{ ...makeEndpoint(3), mac: "ff:ff:ff:ff:ff:ff" }]), [
      "its MAC is none of one interface",
    ]);
    assert.deepEqual(refusals([own, { ...makeEndpoint(3), addresses: own.addresses }]), [
      `10.77.0.2 belongs to 198.51.100.1 ${own.mac} 10.77.0.2 fd00:77::2`,
    ]);
  });
});
