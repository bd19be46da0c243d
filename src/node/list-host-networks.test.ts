// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatBlock } from "#base/addresses.ts";
import { parseAddresses, toHostNetworks } from "./list-host-networks.ts";

/** As iproute2 6 prints it, without what is not read. */
const PRINTED = JSON.stringify([
  { ifname: "lo", operstate: "UNKNOWN", addr_info: [{ local: "127.0.0.1", prefixlen: 8 }] },
  {
    ifname: "eth0",
    operstate: "UP",
    addr_info: [
      { local: "198.51.100.3", prefixlen: 24 },
      { local: "fe80::4054:bbff:fe1f:7494", prefixlen: 64 },
      { local: "2001:db8::3", prefixlen: 64 },
    ],
  },
  {
    ifname: "br-8902d4f7a5bb",
    operstate: "DOWN",
    addr_info: [{ local: "10.128.0.1", prefixlen: 16 }],
  },
  { ifname: "flb100000", operstate: "UP", addr_info: [{ local: "10.128.64.1", prefixlen: 24 }] },
  { ifname: "veth1", operstate: "UP", addr_info: [] },
]);

test("a bridge without a container has its network too; its own devices, links and the host itself are none", () => {
  const networks = toHostNetworks(parseAddresses(PRINTED) ?? []);
  assert.deepEqual(
    networks.map(({ device, block }) => `${device} ${formatBlock(block)}`),
    ["eth0 198.51.100.0/24", "eth0 2001:db8::/64", "br-8902d4f7a5bb 10.128.0.0/16"],
  );
});

test("what is no answer of iproute2 is none", () => {
  for (const text of ["", "Object unknown", "{}"]) assert.equal(parseAddresses(text), undefined);
});
