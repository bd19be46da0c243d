// SPDX-License-Identifier: Apache-2.0
// What every driver promises, as tests. Each driver's test file calls overlayConformance.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isKind } from "#base/errors.ts";
import { networkErrors } from "./errors.ts";
import type {
  Overlay,
  OverlayAttachment,
  OverlayChange,
  OverlayEndpoint,
  OverlayEntry,
} from "./overlay.ts";
import { listWantedEntries, nameDevice } from "./plan-overlay.ts";

/** A host of its own for a rule, with bridges `br-a` and `br-b`, a device `tun-a`, and hands that spoil it. */
export interface OverlayHost extends AsyncDisposable {
  readonly overlay: Overlay;
  /** The same host as a driver sees it that has just started. */
  reopen(): Overlay;
  dropEntry(device: string, entry: OverlayEntry): void;
  addEntry(device: string, entry: OverlayEntry): void;
  removeDevice(device: string): void;
  /** A device that has the name and the identifier ours would have, and is another's. */
  addForeign(vni: number): void;
  hasDevice(device: string): boolean;
}

const TUNNEL = "tun-a";
const OWN = "198.51.100.1";
const FAR = "198.51.100.2";
const FARTHER = "198.51.100.3";

/** An instance number `n` on a host. */
export function makeEndpoint(n: number, host = FAR): OverlayEndpoint {
  const hex = n.toString(16).padStart(2, "0");
  return { host, mac: `02:42:0a:4d:00:${hex}`, addresses: [`10.77.0.${n}`, `fd00:77::${hex}`] };
}

/** A network as it is wanted on the first host. */
export function makeAttachment(
  endpoints: readonly OverlayEndpoint[],
  more: Partial<OverlayAttachment["network"]> = {},
  bridge = "br-a",
  tunnel?: string,
): OverlayAttachment {
  const network = { name: "shop_default", vni: 0x10_0000, port: 4789, mtu: 1450, ...more };
  return { network, host: OWN, bridge, tunnel, endpoints };
}

const OTHER = { name: "mon_default", vni: 0x10_0001 };

const describeChange = (change: OverlayChange): string =>
  "entry" in change
    ? `${change.kind} ${change.entry.table} ${change.entry.key} ${change.entry.value}`.trim()
    : `${change.kind} ${change.device}`;

const describeAll = (changes: readonly OverlayChange[]): readonly string[] =>
  changes.map(describeChange).toSorted();

const text = (entry: OverlayEntry): string => `${entry.table} ${entry.key} ${entry.value}`;

/** That a host has what is wanted, and no more. */
async function assertIs(overlay: Overlay, wanted: readonly OverlayAttachment[]): Promise<void> {
  const facts = await overlay.observe();
  const shown = facts.map((fact) => ({
    network: fact.network,
    host: fact.host,
    bridge: fact.bridge,
    tunnel: fact.tunnel,
    good: fact.sound && fact.set,
    entries: fact.entries.map(text).toSorted(),
  }));
  const expected = wanted.map((one) => ({
    network: one.network,
    host: one.host,
    bridge: one.bridge,
    tunnel: one.tunnel,
    good: true,
    entries: listWantedEntries(one).entries.map(text).toSorted(),
  }));
  const byName = <T extends { readonly network: { readonly name: string } }>(list: T[]): T[] =>
    list.toSorted((a, b) => (a.network.name < b.network.name ? -1 : 1));
  assert.deepEqual(byName(shown), byName(expected));
  assert.deepEqual(await overlay.apply(wanted), [], "twice changes nothing");
}

type Rule = (host: OverlayHost) => Promise<void>;

const RULES: Readonly<Record<string, Rule>> = {
  "nothing is there until something is wanted": async ({ overlay }) => {
    assert.deepEqual(await overlay.observe(), []);
    assert.deepEqual(await overlay.apply([]), []);
  },
  "a network comes with entries for what is on other hosts, and for nothing here": async ({
    overlay,
  }) => {
    const wanted = makeAttachment([
      makeEndpoint(2),
      makeEndpoint(3, FARTHER),
      makeEndpoint(4, OWN),
    ]);
    await overlay.apply([wanted]);
    await assertIs(overlay, [wanted]);
    const [fact] = await overlay.observe();
    assert.equal(fact?.entries.length, 2 * 4);
  },
  "a driver that has just started finds what is there": async ({ overlay, reopen }) => {
    const wanted = makeAttachment([makeEndpoint(2)]);
    await overlay.apply([wanted]);
    await using second = reopen();
    await assertIs(second, [wanted]);
  },
  "who comes, moves and goes is all that is touched": async ({ overlay }) => {
    await overlay.apply([makeAttachment([makeEndpoint(2), makeEndpoint(3)])]);
    const wanted = makeAttachment([makeEndpoint(2, FARTHER), makeEndpoint(4)]);
    const changes = await overlay.apply([wanted]);
    assert.deepEqual(describeAll(changes), [
      "add bridge 02:42:0a:4d:00:04",
      `add forward 02:42:0a:4d:00:02 ${FARTHER}`,
      `add forward 02:42:0a:4d:00:04 ${FAR}`,
      "add neighbour 10.77.0.4 02:42:0a:4d:00:04",
      "add neighbour fd00:77::4 02:42:0a:4d:00:04",
      "drop bridge 02:42:0a:4d:00:03",
      `drop forward 02:42:0a:4d:00:02 ${FAR}`,
      `drop forward 02:42:0a:4d:00:03 ${FAR}`,
      "drop neighbour 10.77.0.3 02:42:0a:4d:00:03",
      "drop neighbour fd00:77::3 02:42:0a:4d:00:03",
    ]);
    await assertIs(overlay, [wanted]);
  },
  "from memory what differs is written, and a device that went is found to be gone": async (
    host,
  ) => {
    const { overlay } = host;
    const grow = (last: number): OverlayAttachment =>
      makeAttachment([2, 3, 4].filter((n) => n <= last).map((n) => makeEndpoint(n)));
    await overlay.apply([grow(2)], { isFromMemory: true });
    const changes = await overlay.apply([grow(3)], { isFromMemory: true });
    assert.equal(changes.length, 4);
    await assertIs(overlay, [grow(3)]);
    host.removeDevice(nameDevice(grow(4).network.vni));
    await overlay.apply([grow(4)], { isFromMemory: true });
    await assertIs(overlay, [grow(4)]);
  },
  "an entry that went is put back, one that came is removed, and the rest is left": async (
    host,
  ) => {
    const { overlay } = host;
    const wanted = makeAttachment([makeEndpoint(2), makeEndpoint(3)]);
    await overlay.apply([wanted]);
    const device = nameDevice(wanted.network.vni);
    const gone = [
      { table: "forward", key: "02:42:0a:4d:00:02", value: FAR },
      { table: "bridge", key: "02:42:0a:4d:00:02", value: "" },
      { table: "neighbour", key: "fd00:77::3", value: "02:42:0a:4d:00:03" },
    ] as const;
    for (const entry of gone) host.dropEntry(device, entry);
    // By this one a device floods.
    const flood = { table: "forward", key: "00:00:00:00:00:00", value: FARTHER } as const;
    host.addEntry(device, flood);
    const stray = { table: "neighbour", key: "10.77.0.9", value: "02:42:0a:4d:00:09" } as const;
    host.addEntry(device, stray);
    const changes = await overlay.apply([wanted]);
    const expected = [
      ...gone.map((entry) => `add ${text(entry)}`.trim()),
      `drop ${text(flood)}`,
      `drop ${text(stray)}`,
    ];
    assert.deepEqual(describeAll(changes), expected.toSorted());
    await assertIs(overlay, [wanted]);
  },
  "what drifted is repaired as it was wanted last, and nothing before that": async (host) => {
    const { overlay } = host;
    assert.deepEqual(await overlay.repair(), []);
    const wanted = makeAttachment([makeEndpoint(2)]);
    await overlay.apply([wanted]);
    assert.deepEqual(await overlay.repair(), []);
    const device = nameDevice(wanted.network.vni);
    const gone = { table: "forward", key: "02:42:0a:4d:00:02", value: FAR } as const;
    host.dropEntry(device, gone);
    assert.deepEqual(describeAll(await overlay.repair()), [`add ${text(gone)}`]);
    await assertIs(overlay, [wanted]);
    host.removeDevice(device);
    assert.equal((await overlay.repair()).length, 1 + 4);
    await assertIs(overlay, [wanted]);
  },
  "what is wanted while the host is looked at stands after it": async ({ overlay }) => {
    await overlay.apply([makeAttachment([makeEndpoint(2)])]);
    const wanted = makeAttachment([makeEndpoint(2), makeEndpoint(3)]);
    await Promise.all([overlay.repair(), overlay.apply([wanted], { isFromMemory: true })]);
    await assertIs(overlay, [wanted]);
  },
  "a device that went is made anew with all it had": async (host) => {
    const wanted = makeAttachment([makeEndpoint(2)]);
    await host.overlay.apply([wanted]);
    host.removeDevice(nameDevice(wanted.network.vni));
    assert.equal((await host.overlay.apply([wanted])).length, 1 + 4);
    await assertIs(host.overlay, [wanted]);
  },
  "another MTU or bridge is set, another port or address made anew": async ({ overlay }) => {
    const endpoints = [makeEndpoint(2)];
    await overlay.apply([makeAttachment(endpoints)]);
    const set = makeAttachment(endpoints, { mtu: 1400 }, "br-b");
    assert.deepEqual(
      (await overlay.apply([set])).filter(({ kind }) => kind === "make" || kind === "remove"),
      [],
    );
    await assertIs(overlay, [set]);
    const made = makeAttachment(endpoints, { port: 4790, mtu: 1400 }, "br-b");
    assert.equal((await overlay.apply([made]))[0]?.kind, "remove");
    await assertIs(overlay, [made]);
    const moved = { ...made, host: FARTHER };
    await overlay.apply([moved]);
    await assertIs(overlay, [moved]);
  },
  "a network that gets a tunnel is made anew, and all its ways lead through that": async (host) => {
    const endpoints = [makeEndpoint(2), makeEndpoint(3, FARTHER)];
    await host.overlay.apply([makeAttachment(endpoints)]);
    const encrypted = makeAttachment(endpoints, {}, "br-a", TUNNEL);
    assert.equal((await host.overlay.apply([encrypted]))[0]?.kind, "remove");
    await assertIs(host.overlay, [encrypted]);
    // By this one its packets would go in clear.
    const device = nameDevice(encrypted.network.vni);
    const bare = { table: "forward", key: "02:42:0a:4d:00:09", value: FAR } as const;
    host.addEntry(device, bare);
    const changes = await host.overlay.apply([encrypted]);
    assert.deepEqual(describeAll(changes), [`drop ${text(bare)}`]);
    await assertIs(host.overlay, [encrypted]);
  },
  "networks are apart, and one that is not named is gone": async ({ overlay, hasDevice }) => {
    const first = makeAttachment([makeEndpoint(2)]);
    const second = makeAttachment([makeEndpoint(2, FARTHER)], OTHER, "br-b");
    await overlay.apply([first, second]);
    await assertIs(overlay, [first, second]);
    const changes = await overlay.apply([second]);
    assert.deepEqual(describeAll(changes), [`remove ${nameDevice(first.network.vni)}`]);
    await assertIs(overlay, [second]);
    await overlay.apply([]);
    assert.equal(hasDevice(nameDevice(second.network.vni)), false);
  },
  "what is another's stays, and the other networks come all the same": async (host) => {
    const first = makeAttachment([makeEndpoint(2)]);
    const second = makeAttachment([makeEndpoint(3)], OTHER, "br-b");
    host.addForeign(first.network.vni);
    await assert.rejects(host.overlay.apply([first, second]), (thrown) =>
      isKind(thrown, networkErrors["overlay-taken"]),
    );
    await assertIs(host.overlay, [second]);
    await host.overlay.apply([]);
    assert.ok(host.hasDevice(nameDevice(first.network.vni)));
  },
  "a bridge that is not there is said, and the other networks come all the same": async ({
    overlay,
  }) => {
    const good = makeAttachment([makeEndpoint(3)], OTHER, "br-b");
    await assert.rejects(
      overlay.apply([makeAttachment([makeEndpoint(2)], {}, "br-none"), good]),
      (thrown) => isKind(thrown, networkErrors["overlay-refused"]),
    );
    await assertIs(overlay, [good]);
  },
  "what other nodes have written does not flood, and takes nothing from another": async ({
    overlay,
  }) => {
    const sound = [makeEndpoint(2), makeEndpoint(4, OWN)];
    const hostile = [
      { ...makeEndpoint(5), mac: "00:00:00:00:00:00" },
      { ...makeEndpoint(6), mac: "01:00:5e:00:00:01" },
      { ...makeEndpoint(7), mac: "02:42:0a:4d:00:07\nlink del br-a" },
      { ...makeEndpoint(8), addresses: ["10.77.0.8 dev br-a"] },
      { ...makeEndpoint(9), host: "198.51.100.2 self" },
      { ...makeEndpoint(10), addresses: ["10.77.0.4"] },
      { ...makeEndpoint(11, FARTHER), mac: "02:42:0a:4d:00:02" },
      { ...makeEndpoint(12), host: "fd00::2" },
    ];
    await overlay.apply([makeAttachment([...hostile, ...sound])]);
    await assertIs(overlay, [makeAttachment(sound)]);
  },
  "two calls at once end as the later one wants": async ({ overlay }) => {
    const last = makeAttachment([makeEndpoint(3)]);
    await Promise.all([
      overlay.apply([makeAttachment([makeEndpoint(2)])]),
      overlay.apply([last]),
      overlay.observe(),
    ]);
    await assertIs(overlay, [last]);
  },
};

/** Runs every rule on a host that `create` makes for it. */
export function overlayConformance(kind: string, create: () => Promise<OverlayHost>): void {
  describe(`overlay: ${kind}`, () => {
    for (const [title, rule] of Object.entries(RULES))
      test(title, async () => {
        await using host = await create();
        await rule(host);
      });
  });
}
