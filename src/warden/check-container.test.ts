// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FairleadError } from "#base/errors.ts";
import { readDockerLimits } from "#model/docker-limits.ts";
import { checkCreate, checkExec, checkUpdate } from "./check-container.ts";
import { isAllowedImage, parseReference } from "./image-names.ts";

const OWNER = { scope: "crew", service: "boss" };
const LIMITS = readDockerLimits("guarded images=busybox:* memory=64m cpus=0.5");
assert.ok(LIMITS !== undefined);
const limits = LIMITS;

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (thrown) {
    assert.ok(thrown instanceof FairleadError && thrown.kind.id === "FL1901", String(thrown));
    return thrown.message;
  }
  return "taken";
}

describe("what an agent says of a container", () => {
  test("gets its bounds and its owner's labels, whatever it says of them", () => {
    const made = checkCreate({ Image: "busybox", Labels: { mine: "1" } }, OWNER, limits);
    assert.deepEqual(made["HostConfig"], {
      NetworkMode: "none",
      NanoCpus: 500_000_000,
      PidsLimit: 256,
      Memory: 67_108_864,
      MemorySwap: 67_108_864,
      RestartPolicy: { Name: "no" },
      SecurityOpt: ["no-new-privileges:true"],
    });
    assert.equal(made["Image"], "busybox:latest");
    const labels = made["Labels"] as Readonly<Record<string, string>>;
    assert.deepEqual([labels["mine"], labels["io.fairlead.agent"]], ["1", "crew/boss"]);
  });

  test("create and update bound the same fields", () => {
    for (const field of ["Memory", "MemoryReservation", "NanoCpus", "PidsLimit", "CpuShares"]) {
      const asked = { [field]: 2 ** 40 };
      assert.match(
        refusal(() => checkUpdate(asked, limits)),
        /may be at most/,
        field,
      );
      const body = { Image: "busybox", HostConfig: asked };
      assert.match(
        refusal(() => checkCreate(body, OWNER, limits)),
        /may be at most/,
        field,
      );
    }
    for (const asked of [
      { Privileged: true },
      { Binds: ["/:/x"] },
      { RestartPolicy: { Name: "always" } },
    ])
      assert.notEqual(
        refusal(() => checkUpdate(asked, limits)),
        "taken",
      );
    assert.deepEqual(checkUpdate({ Memory: 1e7, MemorySwap: -1 }, limits), {
      Memory: 1e7,
      MemorySwap: 1e7,
    });
  });

  test("fields that say nothing are left out, also unknown ones; those that say something are named", () => {
    const HostConfig = {
      Privileged: false,
      Binds: null,
      Devices: [],
      Sysctls: {},
      New: [{ a: 0 }],
    };
    assert.equal(
      refusal(() => checkCreate({ Image: "busybox", HostConfig }, OWNER, limits)),
      "taken",
    );
    const asked = { Image: "busybox", HostConfig: { ...HostConfig, New: [{ a: 1 }] } };
    assert.equal(
      refusal(() => checkCreate(asked, OWNER, limits)),
      "HostConfig.New may not be set",
    );
    assert.equal(
      refusal(() => checkExec({ Cmd: ["id"], Privileged: true })),
      "Privileged may not be set",
    );
    const inherited = JSON.parse(`{"Image":"busybox","__proto__":{"x":1}}`) as Record<
      string,
      unknown
    >;
    assert.notEqual(
      refusal(() => checkCreate(inherited, OWNER, limits)),
      "taken",
    );
  });
});

describe("images", () => {
  test("are compared whole, by name", () => {
    for (const [reference, patterns, expected] of [
      ["busybox", ["busybox"], true],
      ["busybox", ["busybox:*"], true],
      ["docker.io/library/busybox:latest", ["busybox"], true],
      ["busybox:1", ["busybox"], false],
      ["evil/busybox:1", ["busybox:*"], false],
      ["evil.example/busybox:1", ["busybox:*"], false],
      ["evil.example/library/busybox:1", ["busybox:*"], false],
      ["r.example:5000/tools/a:1", ["r.example:5000/tools/*:1"], true],
      ["r.example:5000/tools/a/b:1", ["r.example:5000/tools/*:1"], false],
      ["busyboxx:1", ["busybox:*"], false],
      [`busybox@sha256:${"a".repeat(64)}`, ["busybox:*"], false],
      ["BusyBox:1", ["busybox:*"], false],
      ["busybox:1\n", ["busybox:*"], false],
      ["", ["*:*"], false],
    ] as const)
      assert.equal(
        isAllowedImage(reference, patterns),
        expected,
        `${reference} ${patterns.join()}`,
      );
  });

  test("an id is sent as a name, so that it means no id", () => {
    assert.equal(parseReference("deadbeef")?.text, "deadbeef:latest");
    assert.equal(parseReference(`sha256:${"a".repeat(64)}`)?.text, `sha256:${"a".repeat(64)}`);
    assert.equal(isAllowedImage(`sha256:${"a".repeat(64)}`, ["busybox:*"]), false);
  });
});
