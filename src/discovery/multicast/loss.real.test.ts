// SPDX-License-Identifier: Apache-2.0
// Hosts in network namespaces of their own, joined by a bridge whose datagrams are lost, or come twice and late.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { on, once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { createNamespace } from "#lab/engine.ts";
import { openLedger, type Ledger } from "#lab/ledger.ts";
import { runInNamespace, runProgram } from "#lab/run-program.ts";

const CHILD = fileURLToPath(new URL("../testing/member-child.ts", import.meta.url));
const HOSTS = 5;
const HEARTBEAT_MS = 500;
const HEARTBEATS_WATCHED = 12;
const PORT = 7_118;
const LOSS_PERCENT = 30;
/** What a host says of itself in the second test: a record of seven datagrams. */
const RECORD_BYTES = 6_500;

const Line = z.object({
  type: z.enum(["joined", "up", "changed", "gone", "left"]),
  id: z.string().optional(),
  reason: z.string().optional(),
  bytes: z.number().optional(),
  replayed: z.number().optional(),
  atMs: z.number(),
});
type Line = z.infer<typeof Line>;

interface Member {
  readonly name: string;
  readonly process: ChildProcess;
  readonly lines: Line[];
  /** Resolves with the line that fits, past or future. */
  waitFor(isIt: (line: Line) => boolean): Promise<Line>;
}

/** What happens to datagrams of a host in this namespace. */
type Trouble = (netns: string) => void;

function addRules(netns: string, rules: readonly string[]): void {
  runInNamespace(netns, "nft", [rules.join("; ")]);
}

/** The kernel drops that share of what comes for the group. */
const loseSome: Trouble = (netns) =>
  addRules(netns, [
    "add table inet loss",
    "add chain inet loss in { type filter hook input priority 0; }",
    `add rule inet loss in udp dport ${PORT} numgen random mod 100 < ${LOSS_PERCENT} drop`,
  ]);

/**
 * One of five is sent twice. Three of ten wait in a line in which a datagram of 200 bytes takes 50 ms, so that those behind
 * overtake them, by more than a second when there are many.
 */
const repeatAndDelaySome: Trouble = (netns) => {
  const tc = (...args: readonly string[]): string => runProgram("tc", ["-n", netns, ...args]);
  const line = ["dev", "eth0", "parent", "1:", "classid"];
  tc("qdisc", "add", "dev", "eth0", "root", "handle", "1:", "htb", "default", "1");
  tc("class", "add", ...line, "1:1", "htb", "rate", "1gbit");
  tc("class", "add", ...line, "1:2", "htb", "rate", "32kbit", "burst", "300", "cburst", "300");
  addRules(netns, [
    "add table netdev late",
    "add chain netdev late out { type filter hook egress device eth0 priority 0; }",
    `add rule netdev late out udp dport ${PORT} meta priority set numgen random mod 10 map { 0-2 : 1:2, 3-9 : 1:1 }`,
    `add rule netdev late out udp dport ${PORT} numgen random mod 10 < 2 dup to eth0`,
  ]);
};

/** How many datagrams of a host had to wait. */
function countDelayed(netns: string): number {
  const text = runProgram("tc", ["-n", netns, "-s", "class", "show", "dev", "eth0"]);
  return Number(/class htb 1:2 [^]*?Sent \d+ bytes (\d+) pkt/.exec(text)?.[1] ?? 0);
}

/** A namespace on the bridge. */
function createHost(ledger: Ledger, switchName: string, index: number): string {
  const netns = `${ledger.tag}-m${index}`;
  createNamespace(ledger, netns);
  const peer = ["peer", "name", "eth0", "netns", netns];
  runProgram("ip", ["-n", switchName, "link", "add", `m${index}`, "type", "veth", ...peer]);
  runProgram("ip", ["-n", switchName, "link", "set", `m${index}`, "master", "br0", "up"]);
  runProgram("ip", ["-n", netns, "address", "add", `198.51.100.${index}/24`, "dev", "eth0"]);
  runProgram("ip", ["-n", netns, "link", "set", "eth0", "up"]);
  return netns;
}

function createHosts(ledger: Ledger, count: number, trouble: Trouble): readonly string[] {
  const switchName = `${ledger.tag}-sw`;
  createNamespace(ledger, switchName);
  const bridge = ["type", "bridge", "forward_delay", "0", "mcast_snooping", "0"];
  runProgram("ip", ["-n", switchName, "link", "add", "br0", ...bridge]);
  runProgram("ip", ["-n", switchName, "link", "set", "br0", "up"]);
  const hosts = Array.from({ length: count }, (_, i) => createHost(ledger, switchName, i + 1));
  for (const netns of hosts) trouble(netns);
  return hosts;
}

function startMember(ledger: Ledger, netns: string, index: number, recordBytes = 0): Member {
  const name = `host${index}`;
  const program = [
    process.execPath,
    CHILD,
    name,
    `198.51.100.${index}`,
    `${PORT}`,
    `${HEARTBEAT_MS}`,
    `${recordBytes}`,
  ];
  const child = spawn("nsenter", [`--net=/run/netns/${netns}`, ...program], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  if (child.pid !== undefined) ledger.noteProcess(child.pid);
  const lines: Line[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on("line", (text) => {
    lines.push(Line.parse(JSON.parse(text)));
    reader.emit("told");
  });
  return {
    name,
    process: child,
    lines,
    async waitFor(isIt) {
      const told = on(reader, "told", { signal: AbortSignal.timeout(30_000) });
      for (;;) {
        const found = lines.find(isIt);
        if (found !== undefined) return found;
        await told.next();
      }
    },
  };
}

test("with 30% of the datagrams lost all hosts know each other, none flaps, and a killed one goes", async (t) => {
  const ledger = openLedger();
  try {
    const hosts = createHosts(ledger, HOSTS, loseSome);
    const members = hosts.map((netns, i) => startMember(ledger, netns, i + 1));
    const joined = await Promise.all(
      members.map((member) => member.waitFor(({ type }) => type === "joined")),
    );
    const lastJoinMs = Math.max(...joined.map(({ atMs }) => atMs));
    const known = await Promise.all(
      members.flatMap((member) =>
        members.map(({ name }) => member.waitFor(({ id, type }) => type === "up" && id === name)),
      ),
    );
    const knownAfterMs = Math.max(...known.map(({ atMs }) => atMs)) - lastJoinMs;
    t.diagnostic(
      `all ${HOSTS} hosts known to all ${knownAfterMs.toFixed(0)} ms after the last joined`,
    );

    await sleep(HEARTBEATS_WATCHED * HEARTBEAT_MS);
    const flaps = members.flatMap(({ lines }) => lines.filter(({ type }) => type === "gone"));
    assert.deepEqual(flaps, []);

    const [victim, ...others] = members;
    assert.ok(victim);
    const killedMs = Date.now();
    victim.process.kill("SIGKILL");
    const gone = await Promise.all(
      others.map((member) =>
        member.waitFor(({ type, id }) => type === "gone" && id === victim.name),
      ),
    );
    assert.ok(gone.every(({ reason }) => reason === "expired"));
    const goneAfterMs = Math.max(...gone.map(({ atMs }) => atMs)) - killedMs;
    t.diagnostic(
      `killed: gone from all others after ${goneAfterMs} ms, heartbeat ${HEARTBEAT_MS} ms`,
    );

    const [leaver, ...rest] = others;
    assert.ok(leaver);
    leaver.process.stdin?.end();
    await once(leaver.process, "exit");
    for (const member of rest)
      await member.waitFor(({ type, id }) => type === "gone" && id === leaver.name);
  } finally {
    ledger.clear();
  }
});

test("records of many datagrams that come twice, late and out of order are whole, none flaps, and who left stays away", async (t) => {
  const ledger = openLedger();
  try {
    const hosts = createHosts(ledger, 3, repeatAndDelaySome);
    const members = hosts.map((netns, i) => startMember(ledger, netns, i + 1, RECORD_BYTES));
    const beganMs = Date.now();
    for (const member of members) {
      for (const { name } of members) {
        const up = await member.waitFor(({ id, type }) => type === "up" && id === name);
        assert.ok((up.bytes ?? 0) > RECORD_BYTES, `${up.bytes} bytes`);
      }
    }
    t.diagnostic(`all known to all ${Date.now() - beganMs} ms after they were started`);
    await sleep(8 * HEARTBEAT_MS);
    assert.deepEqual(
      members.flatMap(({ lines }) => lines.filter(({ type }) => type === "gone")),
      [],
    );
    const [leaver, ...rest] = members;
    assert.ok(leaver);
    leaver.process.stdin?.end();
    const { replayed = 0 } = await leaver.waitFor(({ type }) => type === "left");
    const delayed = hosts.map(countDelayed);
    t.diagnostic(`${replayed} came again to one, ${delayed.join(", ")} of the three were late`);
    assert.ok(replayed > 0 && delayed.every((count) => count > 0));
    for (const { waitFor } of rest)
      await waitFor(
        ({ type, id, reason }) => type === "gone" && id === leaver.name && reason === "left",
      );
    // What it had said before is still on its way.
    await sleep(4 * HEARTBEAT_MS);
    for (const { lines } of rest)
      assert.equal(lines.findLast(({ id }) => id === leaver.name)?.type, "gone");
  } finally {
    ledger.clear();
  }
});
