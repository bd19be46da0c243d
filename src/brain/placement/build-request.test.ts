// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { PLACEMENT_DEFAULT } from "@fairlead/protocol/intent.ts";
import { buildService } from "#brain/testing/builders.ts";
import type { ServiceIntent, VolumeIntent } from "#model/intent.ts";
import { buildPlaceRequest, listLocalData } from "./build-request.ts";

const build = (
  service: ServiceIntent,
  more: Partial<Parameters<typeof buildPlaceRequest>[1]> = {},
) =>
  buildPlaceRequest(service, {
    scope: "shop",
    volumes: [],
    dataNodes: new Map(),
    standing: [],
    ...more,
  });

const volume = (key: string, more: Partial<VolumeIntent> = {}): VolumeIntent => ({
  key,
  name: `shop_${key}`,
  external: false,
  options: {},
  labels: {},
  hash: key,
  ...more,
});

test("names get their scope, a fixed name allows one a node, what is no constraint is left out", () => {
  const placement = {
    ...PLACEMENT_DEFAULT,
    near: ["db", "ops/log"],
    apart: ["web"],
    perNodeMax: 2,
  };
  const constraints = ["node.labels.disk == ssd", "nonsense"];
  const request = build(buildService({ replicas: 3, placement, constraints }));
  assert.deepEqual(
    [request.service, request.count, request.near, request.apart, request.perNodeMax],
    ["shop/web", 3, ["shop/db", "ops/log"], ["shop/web"], 2],
  );
  assert.deepEqual(
    request.constraints.map(({ text }) => text),
    ["node.labels.disk == ssd"],
  );
  assert.equal(build(buildService({ fixedName: "one", placement })).perNodeMax, 1);
  assert.equal(build(buildService({})).perNodeMax, Infinity);
});

test("host ports that are one number hold a node, ranges and chosen ones do not", () => {
  const PortBindings = {
    "80/tcp": [{ HostPort: "8080" }, { HostPort: "" }],
    "53/udp": [{ HostPort: "53" }],
    "90/tcp": [{ HostPort: "9000-9010" }, { HostPort: "0" }],
  };
  const container = { Image: "x", HostConfig: { PortBindings } };
  assert.deepEqual(build(buildService({ container })).ports, ["tcp/8080", "udp/53"]);
});

test("local volumes and directories pin where their data is; drivers elsewhere and the host's own do not", () => {
  const HostConfig = {
    Mounts: [
      { Type: "volume" as const, Source: "shop_data", Target: "/data" },
      { Type: "bind" as const, Source: "/srv/shop", Target: "/srv" },
      { Type: "tmpfs" as const, Target: "/tmp" },
    ],
    Binds: ["/var/run/docker.sock:/var/run/docker.sock", "/etc/shop.conf:/etc/shop.conf:ro"],
  };
  const service = buildService({
    volumes: ["data", "share", "plugin"],
    container: { Image: "x", HostConfig },
  });
  const volumes = [
    volume("data"),
    volume("share", { options: { type: "nfs", device: ":/export" } }),
    volume("plugin", { driver: "rexray" }),
    volume("others"),
  ];
  assert.deepEqual(listLocalData(service, volumes), ["/etc/shop.conf", "/srv/shop", "shop_data"]);
  const dataNodes = new Map([["shop_data", ["n2"]]]);
  assert.deepEqual(build(service, { volumes, dataNodes }).pins, [
    { volume: "shop_data", nodes: ["n2"] },
  ]);
});
