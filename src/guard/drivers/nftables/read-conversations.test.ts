// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConversations } from "./read-conversations.ts";

const TEXT = `ipv4     2 tcp      6 431999 ESTABLISHED src=10.92.0.3 dst=10.92.0.2 sport=40000 dport=80 src=10.92.0.2 dst=10.92.0.3 sport=80 dport=40000 [ASSURED] mark=0 zone=0 use=2
ipv6     10 udp      17 29 src=fd00:0092:0000:0000:0000:0000:0000:0003 dst=fd00:0092:0000:0000:0000:0000:0000:0002 sport=5353 dport=53 src=fd00:0092:0000:0000:0000:0000:0000:0002 dst=fd00:0092:0000:0000:0000:0000:0000:0003 sport=53 dport=5353 mark=0 zone=0 use=2
ipv4     2 tcp      6 300 ESTABLISHED src=10.92.0.2 dst=198.51.100.10 sport=50000 dport=443 src=198.51.100.10 dst=10.92.0.2 sport=443 dport=50000 [ASSURED] mark=77 zone=0 use=2
ipv4     2 tcp      6 300 ESTABLISHED src=10.92.0.2 dst=198.51.100.11 sport=50001 dport=443 src=198.51.100.11 dst=10.92.0.2 sport=443 dport=50001 [ASSURED] mark=5 zone=0 use=2
ipv4     2 icmp     1 29 src=10.92.0.3 dst=10.92.0.2 type=8 code=0 id=5 src=10.92.0.2 dst=10.92.0.3 type=0 code=0 id=5 mark=0 zone=0 use=2
ipv4     2 tcp      6 9 CLOSE src=127.0.0.1 dst=127.0.0.1 sport=1 dport=2 src=127.0.0.1 dst=127.0.0.1 sport=2 dport=1 mark=0 zone=0 use=2
`;

test("what others began is remembered, and of the own calls only those by the names of now", () => {
  const found = parseConversations(TEXT, {
    port: "veth1",
    addresses: ["10.92.0.2", "fd00:92::2"],
    names: 77,
  });
  assert.deepEqual(found, [
    {
      port: "veth1",
      address: "10.92.0.3",
      flow: { protocol: "tcp", far: 40_000, near: 80 },
      names: undefined,
      seconds: 431_999,
    },
    {
      port: "veth1",
      address: "fd00:92::3",
      flow: { protocol: "udp", far: 5353, near: 53 },
      names: undefined,
      seconds: 29,
    },
    {
      port: "veth1",
      address: "198.51.100.10",
      flow: { protocol: "tcp", far: 443, near: 50_000 },
      names: 77,
      seconds: 300,
    },
  ]);
});
