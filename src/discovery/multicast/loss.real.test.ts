// SPDX-License-Identifier: Apache-2.0
// Hosts in network namespaces of their own, joined by a bridge, each of which loses three of ten datagrams.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { on, once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
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

const Line = z.object({
  type: z.enum(["joined", "up", "changed", "gone"]),
  id: z.string().optional(),
  reason: z.string().optional(),
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

/** A namespace on the bridge whose kernel drops that share of what comes for the group. */
function createHost(ledger: Ledger, switchName: string, index: number): string {
  const netns = `${ledger.tag}-m${index}`;
  createNamespace(ledger, netns);
  const peer = ["peer", "name", "eth0", "netns", netns];
  runProgram("ip", ["-n", switchName, "link", "add", `m${index}`, "type", "veth", ...peer]);
  runProgram("ip", ["-n", switchName, "link", "set", `m${index}`, "master", "br0", "up"]);
  runProgram("ip", ["-n", netns, "address", "add", `198.51.100.${index}/24`, "dev", "eth0"]);
  runProgram("ip", ["-n", netns, "link", "set", "eth0", "up"]);
  const rules = [
    "add table inet loss",
    "add chain inet loss in { type filter hook input priority 0; }",
    `add rule inet loss in udp dport ${PORT} numgen random mod 100 < ${LOSS_PERCENT} drop`,
  ];
  runInNamespace(netns, "nft", [rules.join("; ")]);
  return netns;
}

function createHosts(ledger: Ledger): string[] {
  const switchName = `${ledger.tag}-sw`;
  createNamespace(ledger, switchName);
  const bridge = ["type", "bridge", "forward_delay", "0", "mcast_snooping", "0"];
  runProgram("ip", ["-n", switchName, "link", "add", "br0", ...bridge]);
  runProgram("ip", ["-n", switchName, "link", "set", "br0", "up"]);
  return Array.from({ length: HOSTS }, (_, i) => createHost(ledger, switchName, i + 1));
}

function startMember(ledger: Ledger, netns: string, index: number): Member {
  const name = `host${index}`;
  const program = [
    process.execPath,
    CHILD,
    name,
    `198.51.100.${index}`,
    `${PORT}`,
    `${HEARTBEAT_MS}`,
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
    const members = createHosts(ledger).map((netns, i) => startMember(ledger, netns, i + 1));
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

    await new Promise((resolve) => setTimeout(resolve, HEARTBEATS_WATCHED * HEARTBEAT_MS));
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
