// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { startHosts, type LabHost, type LabHosts } from "./hosts.ts";

/** How many of `count` packets come back, sent one every 20 ms and waited for 1 s. */
function ping(from: LabHost, to: LabHost, count: number): number {
  const command = ["busybox", "ping", "-q", "-c", String(count), "-i", "0.02", "-W", "1", to.ip];
  const { stdout } = spawnSync("nsenter", [`--net=/run/netns/${from.netns}`, ...command], {
    encoding: "utf8",
  });
  return Number(/(\d+) packets received/.exec(stdout)?.[1] ?? 0);
}

describe("startHosts()", () => {
  let lab: LabHosts;
  let a: LabHost;
  let b: LabHost;
  before(async () => {
    lab = await startHosts(2);
    const [first, second] = lab.hosts;
    assert.ok(first !== undefined && second !== undefined);
    [a, b] = [first, second];
  });
  after(() => lab[Symbol.asyncDispose]());

  it("joins hosts by a network", () => {
    assert.equal(ping(a, b, 3), 3);
    assert.equal(ping(b, a, 3), 3);
  });

  it("cuts a host off and lets it come back", () => {
    b.cutOff();
    assert.equal(ping(a, b, 2), 0);
    b.rejoin();
    assert.ok(ping(a, b, 20) > 0);
  });

  it("loses packets at random", () => {
    b.losePackets(30);
    const received = ping(a, b, 100);
    b.losePackets(0);
    // 0.7 × 0.7 of 100 is 49; six standard deviations are 30.
    assert.ok(received > 18 && received < 80, `${received} of 100 came back`);
    assert.equal(ping(a, b, 20), 20);
  });

  it("loses all of them where it is told to", () => {
    a.losePackets(100);
    assert.equal(ping(b, a, 3), 0);
    a.losePackets(0);
  });
});
