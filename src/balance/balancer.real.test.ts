// SPDX-License-Identifier: Apache-2.0
// Service addresses in namespaces of this test's own: callers and instances on one bridge, real connections, no engine.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { createNetfilter } from "#netfilter/netfilter.ts";
import { createNamespace } from "../../lab/engine.ts";
import { openLedger, type Ledger } from "../../lab/ledger.ts";
import { runInNamespace } from "../../lab/run-program.ts";
import type { BalancedService, BalanceSpace } from "./balancer.ts";
import { createNftBalancer } from "./nft-balancer.ts";
import { TABLE } from "./render-table.ts";

const RANGES = ["198.18.0.0/16", "fd66:6c65:6164::/64"];
const WEB = "198.18.0.1";
const WEB6 = "fd66:6c65:6164::1";

/** Says who it is and who called, over TCP and UDP, IPv4 and IPv6, and echoes lines after that. */
const SERVER = `
  const net = require("node:net"); const dgram = require("node:dgram");
  const me = process.argv[1];
  const server = net.createServer((s) => { s.on("error", () => {});
    s.write(me + " " + s.remoteAddress.replace("::ffff:", "") + "\\n"); s.on("data", (d) => s.write(me + " " + d)); });
  server.listen({ port: 80, host: "::" }, () => process.stdout.write("ready"));
  const udp = dgram.createSocket("udp6"); udp.bind(80, "::");
  udp.on("message", (m, from) => udp.send(me + " " + from.address.replace("::ffff:", ""), from.port, from.address));`;

/** Calls an address so many times, one connection each, and prints the lines. */
const CALLER = `
  const net = require("node:net"); const [, address, count] = process.argv;
  (async () => { for (let i = 0; i < Number(count); i++) await new Promise((done) => {
    const s = net.connect({ host: address, port: 80 });
    s.on("data", (d) => { process.stdout.write(d); s.destroy(); done(); });
    s.on("error", (e) => { process.stdout.write(e.code + "\\n"); done(); }); }); })();`;

/** So many UDP questions, each from another port, and who answered; nobody is waited for for 5 s. */
const UDP_CALLER = `
  const [, address, count] = process.argv;
  (async () => { for (let i = 0; i < Number(count); i++) await new Promise((done) => {
    const u = require("node:dgram").createSocket("udp4"); u.send("x", 80, address);
    const end = (word) => { clearTimeout(late); u.close(); console.log(word); done(); };
    const late = setTimeout(end, 5_000, "nobody");
    u.on("message", (m) => end(String(m))); }); })();`;
/** UDP from one port: each line of stdin is a question, each answer is printed. */
const UDP_HOLDER = `
  const u = require("node:dgram").createSocket("udp4"); u.on("message", (m) => console.log(String(m)));
  process.stdin.on("data", (d) => u.send(d, 80, process.argv[1]));`;
/** A connection that is held open: each line of stdin is sent, each answer printed. */
const HOLDER = `
  const s = require("node:net").connect({ host: process.argv[1], port: 80 });
  s.pipe(process.stdout); process.stdin.on("data", (d) => s.write(d)); s.on("error", (e) => console.log(e.code));`;

describe("createNftBalancer()", () => {
  let ledger: Ledger;
  const children: ChildProcess[] = [];
  const names = ["caller", "one", "two", "three"] as const;
  const space = (name: string): string => `${ledger.tag}-${name}`;
  const inside = (name: string, args: readonly string[]): string =>
    runInNamespace(space(name), args[0] ?? "", args.slice(1));

  function start(name: string, code: string, ...args: string[]): ChildProcess {
    const net = `--net=/run/netns/${space(name)}`;
    const child = spawn("nsenter", [net, process.execPath, "-e", code, ...args], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    children.push(child);
    return child;
  }

  async function call(
    name: string,
    address: string,
    count: number,
    program = CALLER,
  ): Promise<readonly string[]> {
    const child = start(name, program, address, String(count));
    let text = "";
    child.stdout?.on("data", (chunk: Buffer) => (text += chunk.toString()));
    await once(child, "close");
    return text.trim().split("\n");
  }

  /** The caller has a second interface with its default route, so that its first choice of a source is the wrong one. */
  before(async () => {
    ledger = openLedger();
    createNamespace(ledger, space("switch"));
    for (const bridge of ["br0", "br1"]) {
      inside("switch", ["ip", "link", "add", bridge, "type", "bridge"]);
      inside("switch", ["ip", "link", "set", bridge, "up"]);
    }
    for (const [i, name] of names.entries()) {
      createNamespace(ledger, space(name));
      for (const net of [0, 1]) {
        const peer = ["peer", "name", `eth${net}`, "netns", space(name)];
        inside("switch", ["ip", "link", "add", `${name}${net}`, "type", "veth", ...peer]);
        inside("switch", ["ip", "link", "set", `${name}${net}`, "master", `br${net}`, "up"]);
        inside(name, ["ip", "address", "add", `10.9.${net}.${i + 2}/24`, "dev", `eth${net}`]);
        inside(name, ["ip", "link", "set", `eth${net}`, "up"]);
      }
      inside(name, ["ip", "address", "add", `fd09::${i + 2}/64`, "dev", "eth0", "nodad"]);
      inside(name, ["ip", "route", "add", "default", "via", "10.9.1.1"]);
      inside(name, ["ip", "-6", "route", "add", "default", "via", "fd09::1"]);
      const server = start(name, SERVER, name);
      if (server.stdout !== null) await once(server.stdout, "data");
    }
  });
  after(() => {
    for (const child of children) child.kill("SIGKILL");
    ledger.clear();
  });

  /** The caller's namespace counts as the host's here. */
  function open(name = "caller") {
    return createNftBalancer({
      netfilter: createNetfilter(),
      ranges: RANGES,
      netns: `/run/netns/${space(name)}`,
    });
  }
  const target = (i: number) => ({
    id: names[i] ?? "",
    addresses: [`10.9.0.${i + 2}`, `fd09::${i + 2}`],
  });
  function web(indexes: readonly number[], parts: Partial<BalancedService> = {}): BalancedService {
    const targets = indexes.map(target);
    return { key: "shop/web", addresses: [WEB, WEB6], targets, sticky: false, ...parts };
  }
  const want = (...services: BalancedService[]): readonly BalanceSpace[] => [
    { id: "host", own: ["10.9.1.2", "10.9.0.2"], services },
  ];

  it("gives connections to all instances, with the caller's address on their network", async () => {
    const balancer = open();
    const first = await balancer.apply(want(web([1, 2, 3])));
    assert.deepEqual(first.changes, [{ space: "host", kind: "make" }]);
    assert.deepEqual([...first.failures], []);
    const lines = await call("caller", WEB, 60);
    assert.deepEqual(
      [...new Set(lines)].toSorted(),
      ["one 10.9.0.2", "three 10.9.0.2", "two 10.9.0.2"],
      "each of three is missed by sixty once in 10^10",
    );
    assert.match((await call("caller", WEB6, 1))[0] ?? "", /^(one|two|three) fd09::2$/);
    const udp = await call("caller", WEB, 60, UDP_CALLER);
    assert.deepEqual([...new Set(udp)].toSorted(), [...new Set(lines)].toSorted());
    assert.deepEqual((await balancer.apply(want(web([3, 2, 1])))).changes, [], "the same again");
    assert.deepEqual((await open().apply(want(web([1, 2, 3])))).changes, [], "another life of it");
    assert.deepEqual((await balancer.check()).changes, []);
  });

  it("leaves connections that stand where they are when an instance is drained", async () => {
    const balancer = open();
    await balancer.apply(want(web([1])));
    const held = start("caller", HOLDER, WEB);
    assert.ok(held.stdout !== null && held.stdin !== null);
    await once(held.stdout, "data");
    await balancer.apply(want(web([2])));
    assert.deepEqual([...new Set(await call("caller", WEB, 5))], ["two 10.9.0.2"]);
    held.stdin.write("still there\n");
    const [answer] = await once(held.stdout, "data");
    assert.equal(String(answer), "one still there\n");
    const seconds = inside("caller", ["cat", "/proc/net/nf_conntrack"])
      .split("\n")
      .filter((line) => line.includes("ESTABLISHED") && line.includes(`dst=${WEB}`))
      .map((line) => Number(line.split(/\s+/)[4]));
    assert.ok(seconds.length === 1 && (seconds[0] ?? 0) > 3_600, `idle for ${seconds} s and more`);
  });

  it("refuses at once where nobody is, and where no service is", async () => {
    const balancer = open();
    await balancer.apply(want(web([])));
    assert.deepEqual(await call("caller", WEB, 1), ["ECONNREFUSED"]);
    await balancer.apply(want());
    assert.deepEqual(await call("caller", WEB, 1), ["ECONNREFUSED"]);
    await balancer.apply([]);
    assert.equal(inside("caller", ["nft", "list", "tables"]).includes(TABLE), false);
  });

  it("repairs what somebody else has removed or changed, once", async () => {
    const balancer = open();
    await balancer.apply(want(web([1, 2])));
    const spoil = [
      ["nft", "flush", "ruleset"],
      ["nft", "delete", "element", "inet", TABLE, "services4", `{ ${WEB} }`],
      ["nft", "flush", "chain", "inet", TABLE, "s-shop_2fweb"],
    ];
    for (const command of spoil) {
      inside("caller", command);
      assert.deepEqual((await balancer.check()).changes, [{ space: "host", kind: "repair" }]);
      assert.deepEqual((await balancer.check()).changes, []);
      assert.match((await call("caller", WEB, 1))[0] ?? "", /10\.9\.0\.2$/);
    }
    inside("caller", ["nft", "flush", "ruleset"]);
    assert.deepEqual(
      (await balancer.apply(want(web([2])))).changes,
      [{ space: "host", kind: "repair" }],
      "found by a change",
    );
  });

  it("keeps a caller on its instance where that is asked, and moves it when that goes", async () => {
    const balancer = open();
    await balancer.apply(want(web([1, 2, 3], { sticky: true })));
    const [kept, ...others] = new Set(await call("caller", WEB, 20));
    assert.deepEqual(others, []);
    const rest = [1, 2, 3].filter((i) => names[i] !== kept?.split(" ")[0]);
    await balancer.apply(want(web(rest, { sticky: true })));
    assert.equal(new Set(await call("caller", WEB, 20)).size, 1);
    await balancer.apply(want(web([1, 2, 3], { sticky: true })));
    assert.deepEqual([...new Set(await call("caller", WEB, 5))], [kept]);
  });

  it("does the same with UDP: sticky, drained, and past an instance that was killed", async () => {
    const balancer = open();
    const ask = (count: number): Promise<readonly string[]> =>
      call("caller", WEB, count, UDP_CALLER);
    await balancer.apply(want(web([1, 2, 3], { sticky: true })));
    const [kept, ...others] = new Set(await ask(20));
    assert.deepEqual(others, [], "a caller keeps its instance");
    assert.deepEqual([...new Set(await call("caller", WEB, 5))], [kept], "the same as by TCP");

    // What is under way stays where it is while its instance is drained, and what is new goes to others.
    await balancer.apply(want(web([1])));
    const held = start("caller", UDP_HOLDER, WEB);
    assert.ok(held.stdin !== null && held.stdout !== null);
    held.stdin.write("before");
    assert.match(String((await once(held.stdout, "data"))[0]), /^one /);
    await balancer.apply(want(web([2])));
    held.stdin.write("after");
    assert.match(String((await once(held.stdout, "data"))[0]), /^one /);
    assert.deepEqual([...new Set(await ask(10))], ["two 10.9.0.2"]);

    // One that is killed is a target no more; nobody new is sent there.
    await balancer.apply(want(web([2, 3])));
    inside("three", ["ip", "link", "set", "eth0", "down"]);
    try {
      await balancer.apply(want(web([2])));
      assert.deepEqual([...new Set(await ask(20))], ["two 10.9.0.2"]);
    } finally {
      inside("three", ["ip", "link", "set", "eth0", "up"]);
    }
    await balancer.apply(want(web([])));
    assert.deepEqual(await ask(1), ["nobody"]);
  });

  it("reaches an instance from itself", async () => {
    const balancer = open("one");
    await balancer.apply(want(web([1])));
    assert.match((await call("one", WEB, 1))[0] ?? "", /^one 10\.9\.[01]\.3$/);
  });

  it("holds a thousand services, and changes one of them by itself", async () => {
    const balancer = open();
    const many = Array.from({ length: 1_000 }, (_, i) =>
      web([1, 2], { key: `shop/s${i}`, addresses: [`198.18.${1 + (i >> 8)}.${i & 255}`] }),
    );
    await balancer.apply(want(...many));
    const changed = many.map((one, i) => (i === 500 ? { ...one, targets: [target(3)] } : one));
    await balancer.apply(want(...changed));
    assert.deepEqual(await call("caller", "198.18.2.244", 1), ["three 10.9.0.2"]);
    assert.deepEqual((await balancer.check()).changes, []);
  });
});
