// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findSharedWrites, listNamedTargets } from "./mounts.ts";
import { buildInstance, buildService } from "./testing/builders.ts";

const service = buildService({
  container: {
    Image: "app:1",
    HostConfig: {
      Mounts: [
        { Type: "volume", Source: "data", Target: "/named", ReadOnly: true },
        { Type: "volume", Target: "/anonymous" },
        { Type: "tmpfs", Target: "/memory" },
      ],
      Binds: ["/srv:/host:ro"],
      Tmpfs: { "/tmp": "" },
    },
  },
});

describe("listNamedTargets()", () => {
  test("has all but the places of volumes that nobody named", () => {
    assert.deepEqual([...listNamedTargets(service)].sort(), ["/host", "/memory", "/named", "/tmp"]);
  });
});

describe("findSharedWrites()", () => {
  test("counts what the next one takes over, and nothing that it has otherwise", () => {
    const at = (...targets: string[]) => {
      const anonymousVolumes = targets.map((target) => ({ name: `volume of ${target}`, target }));
      return findSharedWrites(service, buildInstance({ anonymousVolumes }));
    };
    assert.equal(at(), undefined);
    assert.equal(at("/named", "/memory", "/host", "/tmp"), undefined);
    assert.equal(at("/anonymous"), "the volume at /anonymous");
    assert.equal(at("/of-the-image"), "the volume at /of-the-image");
  });
});
