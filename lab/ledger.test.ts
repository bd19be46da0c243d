// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync, watch } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import {
  findLabDirectory,
  listLabs,
  openLedger,
  readStartTicks,
  signalProcess,
  sweepLab,
} from "./ledger.ts";
import { findTold, tellHosts } from "./told-hosts.ts";

const OWNER = `
  import { startHosts } from "${import.meta.resolve("./hosts.ts")}";
  import { createSmallDisk } from "${import.meta.resolve("./disk.ts")}";
  import { openLedger } from "${import.meta.resolve("./ledger.ts")}";
  import { importBusybox } from "${import.meta.resolve("./images.ts")}";
  import { runContainer, readContainerPid } from "${import.meta.resolve("./call-engine.ts")}";
  const ledger = openLedger();
  createSmallDisk({ ledger, sizeBytes: 1 << 20 });
  const lab = await startHosts(2, { ledger });
  const pids = [];
  for (const host of lab.hosts) {
    await importBusybox(host);
    await runContainer(host, "left");
    pids.push(host.pid(), await readContainerPid(host, "left"));
  }
  lab.hosts[1].pause();
  console.log(JSON.stringify({ tag: lab.tag, pids }));
  setInterval(() => undefined, 1 << 30);
`;

async function awaitGone(directory: string): Promise<void> {
  const parent = watch(dirname(directory));
  const signal = AbortSignal.timeout(10_000);
  while (existsSync(directory)) await once(parent, "change", { signal });
  parent.close();
}

describe("sweepLab()", () => {
  it("removes all that an owner left who was killed with -9", async () => {
    const root = fileURLToPath(new URL("..", import.meta.url));
    const owner = spawn(process.execPath, ["--input-type=module", "-e", OWNER], {
      cwd: root,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(owner.stdout.setEncoding("utf8"), "data")) as [string];
    const { tag, pids } = JSON.parse(line) as { tag: string; pids: number[] };
    assert.deepEqual(
      pids.map((pid) => readStartTicks(pid) !== undefined),
      [true, true, true, true],
    );
    const gone = once(owner, "exit");
    owner.kill("SIGKILL");
    await gone;
    sweepLab();
    assert.deepEqual(pids.map(readStartTicks), [undefined, undefined, undefined, undefined]);
    for (const name of ["h1", "h2", "sw"])
      assert.equal(existsSync(`/run/netns/${tag}-${name}`), false, name);
    // Another test's lab may be sweeping the same left-over: whoever is second has nothing to do but to let it finish.
    await awaitGone(findLabDirectory(tag));
    assert.equal(
      listLabs().some((lab) => lab.tag === tag),
      false,
    );
  });
});

describe("signalProcess()", () => {
  it("spares a process that merely has the number", () => {
    assert.equal(signalProcess({ pid: process.pid, startTicks: "1" }, "SIGKILL"), false);
  });
});

describe("findTold()", () => {
  it("finds what a process tells of its lab among all that it owns", () => {
    const ledgers = [openLedger(), openLedger()];
    try {
      for (const { tag } of ledgers) {
        tellHosts(tag, ["h1", "h2"]);
        assert.deepEqual(findTold(process.pid), { tag, hosts: "h1\nh2" });
        rmSync(join(findLabDirectory(tag), "hosts"));
      }
    } finally {
      for (const ledger of ledgers) ledger.clear();
    }
  });
});
