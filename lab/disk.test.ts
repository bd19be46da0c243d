// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { callEngine } from "./call-engine.ts";
import { createSmallDisk, explainNoSlowDisk, slowDisk } from "./disk.ts";
import { startEngine } from "./engine.ts";
import { importBusybox } from "./images.ts";

const ENOSPC = { code: "ENOSPC" };

describe("createSmallDisk()", () => {
  it("is full when filled and takes data again when freed", () => {
    using disk = createSmallDisk({ sizeBytes: 1 << 20 });
    const file = join(disk.path, "file");
    disk.fill();
    assert.throws(() => writeFileSync(file, "x".repeat(5_000)), ENOSPC);
    disk.free();
    writeFileSync(file, "x".repeat(5_000));
    rmSync(file);
    disk.fill(64 * 1_024);
    writeFileSync(file, "x".repeat(40_000));
    assert.throws(() => writeFileSync(file, "x".repeat(100_000)), ENOSPC);
  });

  it("carries an engine, which then says that the disk is full", async () => {
    using disk = createSmallDisk({ sizeBytes: 64 << 20 });
    await using engine = await startEngine({ dataRoot: disk.path });
    await importBusybox(engine);
    disk.fill();
    const answer = await callEngine(engine, "POST", "/containers/create", { Image: "busybox:lab" });
    assert.equal(answer.status, 500);
    assert.match(JSON.stringify(answer.body), /no space left/);
  });
});

describe("slowDisk()", () => {
  it("says why when it cannot, else sets the limit and takes it away", async (t) => {
    await using engine = await startEngine();
    const reason = explainNoSlowDisk(engine.dataRoot);
    if (reason !== undefined) {
      t.diagnostic(reason);
      assert.throws(() => slowDisk(engine, 1 << 20), { message: reason });
      return;
    }
    const limits = (): string =>
      readFileSync(`/sys/fs/cgroup/blkio${engine.cgroup}/blkio.throttle.write_bps_device`, "utf8");
    {
      using _slow = slowDisk(engine, 1 << 20);
      assert.match(limits(), / 1048576\n/);
    }
    assert.equal(limits(), "");
  });
});
