// SPDX-License-Identifier: Apache-2.0
// On a real kernel: packets between two namespaces over a bridge, counted by a rule as the engine's iptables has them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createNamespace } from "#lab/engine.ts";
import { openLedger } from "#lab/ledger.ts";
import { runInNamespace } from "#lab/run-program.ts";
import { createBridgeFilter } from "./bridge-filter.ts";

const SWITCH = "/proc/sys/net/bridge/bridge-nf-call-iptables";

test("packets on our bridges pass by iptables, those on others through it, and all as before in the end", async () => {
  const ledger = openLedger();
  const name = `${ledger.tag}-bf`;
  try {
    createNamespace(ledger, name);
    const run = (program: string, ...args: string[]): string => runInNamespace(name, program, args);
    const netns = `/run/netns/${name}`;
    const ends = new Map<string, string>();
    for (const [index, bridge] of ["flb100000", "br-other"].entries()) {
      run("ip", "link", "add", bridge, "type", "bridge");
      run("ip", "link", "set", bridge, "up");
      for (const side of ["1", "2"]) {
        const end = `${name}-${index}${side}`;
        createNamespace(ledger, end);
        const port = `p${index}${side}`;
        run("ip", "link", "add", port, "type", "veth", "peer", "eth0", "netns", end);
        run("ip", "link", "set", port, "master", bridge, "up");
        runInNamespace(end, "ip", ["addr", "add", `10.99.${index}.${side}/24`, "dev", "eth0"]);
        runInNamespace(end, "ip", ["link", "set", "eth0", "up"]);
        ends.set(`${bridge} ${side}`, end);
      }
    }
    run("nft", "add table ip t");
    run("nft", "add chain ip t f { type filter hook forward priority 0; }");
    for (const bridge of ["flb100000", "br-other"])
      run("nft", `add rule ip t f iifname ${bridge} counter`);
    const counted = (bridge: string): number => {
      const index = bridge === "br-other" ? 1 : 0;
      runInNamespace(ends.get(`${bridge} 1`) ?? "", "busybox", [
        "ping",
        "-c",
        "1",
        "-W",
        "5",
        `10.99.${index}.2`,
      ]);
      const lines = run("nft", "list", "chain", "ip", "t", "f").split("\n");
      const line = lines.find((one) => one.includes(bridge)) ?? "";
      run("nft", "flush chain ip t f");
      for (const one of ["flb100000", "br-other"])
        run("nft", `add rule ip t f iifname ${one} counter`);
      return Number(/packets (\d+)/.exec(line)?.[1]);
    };
    run("sh", "-c", `echo 1 > ${SWITCH}`);
    assert.ok(counted("flb100000") > 0, "without us they pass through");

    const filter = createBridgeFilter(netns);
    assert.equal(await filter.bypass(["flb100000"]), true);
    assert.equal(counted("flb100000"), 0);
    assert.ok(counted("br-other") > 0);
    assert.equal(await filter.bypass(["flb100000"]), false, "twice changes nothing");

    // An engine that starts again puts it on, and a bridge comes.
    run("sh", "-c", `echo 1 > ${SWITCH}`);
    run("ip", "link", "add", "br-late", "type", "bridge");
    assert.equal(await createBridgeFilter(netns).bypass(["flb100000"]), true);
    assert.match(run("ip", "-d", "link", "show", "br-late"), /nf_call_iptables 1/);
    run("ip", "link", "add", "br-later", "type", "bridge");
    assert.equal(await filter.bypass(["flb100000"]), true, "one that came is found");

    assert.equal(await createBridgeFilter(netns).bypass([]), true);
    assert.equal(run("cat", SWITCH).trim(), "1");
    assert.match(run("ip", "-d", "link", "show", "br-other"), /nf_call_iptables 0/);
    assert.ok(counted("flb100000") > 0);

    // Who has put it off himself keeps that.
    for (const path of [SWITCH, SWITCH.replace("-ip", "-ip6")]) run("sh", "-c", `echo 0 > ${path}`);
    assert.equal(await filter.bypass(["flb100000"]), false);
    assert.equal(await filter.bypass([]), false);
    assert.equal(run("cat", SWITCH).trim(), "0");
  } finally {
    ledger.clear();
  }
});
