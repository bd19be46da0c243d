// SPDX-License-Identifier: Apache-2.0
// S07: testdata/docker-api-rules.json as a table of cases: what docker-socket-proxy lets through and keeps back, and the
// weaknesses that were found in it and in its like. Each probe of the file has its requests here.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { openWardenRig, OWN, VICTIM, type WardenRig } from "./testing/warden-rig.ts";

const Rules = z.object({
  default_allowed_groups: z.array(z.string()),
  default_denied_groups: z.array(z.string()),
  suite_expectations: z.array(z.object({ allow: z.array(z.string()), deny: z.array(z.string()) })),
  weaknesses_to_test_in_ours: z.array(z.object({ probe: z.string() })),
});
const RULES = Rules.parse(
  JSON.parse(readFileSync(new URL("testdata/docker-api-rules.json", import.meta.url), "utf8")),
);

type Ask = readonly [method: string, path: string, body?: string];
const image = `"Image":"busybox:1"`;
const create = (host: string): Ask => [
  "POST",
  "/v1.41/containers/create",
  `{${image},"HostConfig":${host}}`,
];

/** Words of the CLI in the file as the requests that the CLI sends; of containers another's. */
const WORDS: Readonly<Record<string, readonly Ask[]>> = {
  "GET /version": [["GET", "/version"]],
  pull: [["POST", "/images/create?fromImage=busybox&tag=1"]],
  run: [["POST", "/containers/create", `{"Image":"alpine:3"}`]],
  logs: [["GET", `/containers/${VICTIM}/logs?stdout=1`]],
  inspect: [["GET", `/containers/${VICTIM}/json`]],
  wait: [["POST", `/containers/${VICTIM}/wait`]],
  "rm -f": [["DELETE", `/containers/${VICTIM}?force=1`]],
  restart: [["POST", `/containers/${VICTIM}/restart`]],
  exec: [
    ["POST", `/containers/${VICTIM}/exec`, `{"Cmd":["id"]}`],
    ["POST", `/exec/${VICTIM}/start`, "{}"],
  ],
  "network ls": [["GET", "/networks"]],
  "network create": [["POST", "/networks/create", `{"Name":"x"}`]],
  "network rm": [["DELETE", "/networks/x"]],
  "config ls": [["GET", "/configs"]],
  "service ls": [["GET", "/services"]],
  "stack ls": [
    ["GET", "/services"],
    ["GET", "/tasks"],
  ],
  "secret ls": [["GET", "/secrets"]],
  "plugin ls": [["GET", "/plugins"]],
  info: [["GET", "/info"]],
  build: [
    ["POST", "/build?t=x"],
    ["POST", "/session"],
    ["POST", "/grpc"],
  ],
  "swarm init": [["POST", "/swarm/init", "{}"]],
};

/** The requests behind each probe of the file, by how it begins. */
const PROBES: Readonly<Record<string, readonly Ask[]>> = {
  "GET /containers/<id>/archive": [
    ["GET", `/containers/${VICTIM}/archive?path=/etc/shadow`],
    ["HEAD", `/containers/${VICTIM}/archive?path=/etc/shadow`],
    ["PUT", `/containers/${VICTIM}/archive?path=/`, "tar"],
    ["GET", `/containers/${VICTIM}/export`],
  ],
  "GET /containers/<id>/attach/ws": [
    ["GET", `/containers/${VICTIM}/attach/ws?stdin=1&stream=1`],
    ["GET", `/containers/${OWN}/attach/ws?stdin=1&stream=1`],
  ],
  "GET /v1.41/_ping/../containers/json": [
    ["GET", "/v1.41/_ping/../containers/json"],
    ["GET", "//containers/json"],
    ["GET", "/V1.41/Containers/json"],
    ["GET", "/v1.41/containers//json"],
    ["GET", "/containers/%2e%2e/containers/json"],
    ["GET", "/%63ontainers/json"],
    ["GET", "/containers/json;x"],
    ["GET", "/containers/json/"],
    ["GET", "/containers/json/trailing"],
    ["GET", "/v1.41/v1.41/containers/json"],
    ["GET", "/v1.41.0/containers/json"],
    ["GET", "/containers/json?all=1?x"],
    ["GET", "/containers/json?all=1&All=0"],
    ["GET", "/containers/json?all=%zz"],
  ],
  "POST /containers/create with Content-Length: 0": [
    ["POST", "/containers/create", `{${image},"Env":["${"x".repeat(1_100_000)}"]}`],
    ["POST", "/containers/create", `{${image}} {${image}}`],
    ["POST", "/containers/create", `{${image},"HostConfig":{},"hostConfig":{"Privileged":true}}`],
  ],
  "POST /services/create": [
    ["POST", "/services/create", "{}"],
    ["POST", "/services/x/update", "{}"],
    create(`{"CapAdd":["SYS_ADMIN"]}`),
    create(`{"Mounts":[{"Type":"bind","Source":"/","Target":"/x"}]}`),
    ["POST", `/containers/${OWN}/update`, `{"CapabilityAdd":["ALL"]}`],
    ["POST", `/containers/${OWN}/update`, `{"Mounts":[{"Type":"bind"}]}`],
    ["POST", `/containers/${OWN}/update`, `{"Devices":[{"PathOnHost":"/dev/sda"}]}`],
  ],
  "POST /plugins/pull": [
    ["POST", "/plugins/pull?remote=x"],
    ["POST", "/plugins/x/enable"],
    ["POST", "/v1.99/somethings/create"],
    ["PATCH", "/containers/json"],
    ["GET", "/"],
    ["OPTIONS", "/containers/json"],
  ],
  "POST /containers/<id>/update, /containers/<id>/rename": [
    VICTIM,
    VICTIM.slice(0, 12),
    VICTIM.slice(0, 2),
    "crew-victim-1",
  ].flatMap((id): Ask[] => [
    ["POST", `/containers/${id}/update`, "{}"],
    ["POST", `/containers/${id}/rename?name=mine`],
    ["POST", `/networks/${id}/connect`, "{}"],
    ["POST", `/containers/${id}/exec`, `{"Cmd":["id"]}`],
    ["DELETE", `/containers/${id}`],
  ]),
  "POST /build?remote=": [
    ["POST", "/build?remote=http://169.254.169.254/latest"],
    ["POST", "/images/create?fromSrc=http://169.254.169.254/x"],
    ["POST", "/images/load", "tar"],
    ["POST", "/commit?container=x"],
  ],
  "HostConfig: Privileged": [
    `{"Privileged":true}`,
    ...["PidMode", "IpcMode", "UTSMode", "UsernsMode", "NetworkMode", "CgroupnsMode"].map(
      (field) => `{"${field}":"host"}`,
    ),
    `{"NetworkMode":"container:boss"}`,
    `{"PidMode":"container:boss"}`,
    `{"CapAdd":["NET_ADMIN"]}`,
    `{"Devices":[{"PathOnHost":"/dev/kmsg"}]}`,
    `{"DeviceRequests":[{"Count":-1}]}`,
    `{"DeviceCgroupRules":["a *:* rwm"]}`,
    `{"SecurityOpt":["seccomp=unconfined"]}`,
    `{"Sysctls":{"net.ipv4.ip_forward":"1"}}`,
    `{"Binds":["/:/host"]}`,
    `{"Binds":["named:/x"]}`,
    `{"Mounts":[{"Type":"bind","Source":"/","Target":"/x"}]}`,
    `{"Mounts":[{"Type":"volume","Target":"/x","VolumeOptions":{"DriverConfig":{"Options":{"type":"none","o":"bind","device":"/"}}}}]}`,
    `{"VolumesFrom":["boss"]}`,
    `{"CgroupParent":"/"}`,
    `{"Runtime":"other"}`,
    `{"OomScoreAdj":-1000}`,
    `{"OomKillDisable":true}`,
    `{"MaskedPaths":["/x"]}`,
    `{"ReadonlyPaths":["/x"]}`,
    `{"Ulimits":[{"Name":"nofile","Hard":1}]}`,
    `{"LogConfig":{"Type":"syslog"}}`,
    `{"PortBindings":{"80/tcp":[{"HostPort":"80"}]}}`,
    `{"GroupAdd":["docker"]}`,
    `{"SomethingNew":true}`,
  ].map(create),
};

describe("S07: docker-api-rules.json", () => {
  let rig: WardenRig;
  before(async () => {
    rig = await openWardenRig();
  });
  after(() => rig[Symbol.asyncDispose]());

  /** Refused in Docker's form; what reached the engine at most asked whose a container is. */
  async function isRefused([method, path, body]: Ask): Promise<void> {
    rig.reached.length = 0;
    const { status, text, message } = await rig.send(method, path, body);
    const said = `${method} ${path} ${(body ?? "").slice(0, 80)}: ${status} ${text}`;
    assert.ok([400, 403, 404].includes(status), said);
    if (method !== "HEAD") assert.match(message, /^FL190[123]: ./, said);
    for (const { method: asked, path: at } of rig.reached) {
      assert.equal(asked, "GET", said);
      assert.match(at, /^(\/v1\.\d+)?\/(containers|exec)\/[^/]+\/json$/, said);
    }
  }

  test("what is allowed by default works", async () => {
    for (const group of RULES.default_allowed_groups) {
      const { status } = await rig.send("GET", `/v1.41/${group}`);
      assert.equal(status, 200, group);
    }
  });

  for (const group of RULES.default_denied_groups) {
    test(`${group} is closed but for the agent's own`, async () => {
      await isRefused(["GET", `/v1.41/${group}`]);
      await isRefused(["GET", `/${group}/${VICTIM}/json`]);
      await isRefused(["POST", `/${group}/${VICTIM}/json`]);
      await isRefused(["DELETE", `/${group}/${VICTIM}`]);
    });
  }

  test("each word of the suite that is denied there is denied here, and those that another's container would suffer", async () => {
    const words = new Set(
      RULES.suite_expectations.flatMap(({ allow, deny }) => [...allow, ...deny]),
    );
    assert.deepEqual(
      [...words].filter((word) => WORDS[word] === undefined),
      [],
      "each word of the file has its requests",
    );
    for (const word of words) {
      if (word === "GET /version") continue;
      for (const ask of WORDS[word] ?? []) await isRefused(ask);
    }
  });

  for (const { probe } of RULES.weaknesses_to_test_in_ours) {
    const asks = Object.entries(PROBES).find(([begin]) => probe.startsWith(begin))?.[1] ?? [];
    test(`${probe.slice(0, 70)}: ${asks.length} requests`, async () => {
      assert.ok(asks.length > 0, "the probe has its requests");
      for (const ask of asks) await isRefused(ask);
    });
  }

  test("a body with two lengths or forms reaches nobody", async () => {
    const evil = `{${image},"HostConfig":{"Privileged":true}}`;
    const head =
      "POST /containers/create HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n";
    const chunked = `${head}Transfer-Encoding: chunked\r\n`;
    for (const raw of [
      `${head}Content-Length: 0\r\n\r\n${evil}`,
      `${head}Content-Length: 5\r\nContent-Length: ${evil.length}\r\n\r\n${evil}`,
      `${chunked}Content-Length: 3\r\n\r\n${evil}`,
      `${head}Transfer-Encoding: xchunked\r\n\r\n${evil}`,
      `${chunked}\r\n${evil.length.toString(16)}\r\n${evil}\r\n0\r\n\r\n`,
      `${chunked}\r\n110000\r\n${"x".repeat(0x11_0000)}\r\n0\r\n\r\n`,
    ]) {
      rig.reached.length = 0;
      assert.match(await rig.sendRaw(raw), /^HTTP\/1\.1 4\d\d /, raw.slice(0, 160));
      assert.deepEqual(rig.reached, []);
    }
  });

  test("POST /build: 403 in Docker's form, with the whole context on its way", async () => {
    const { status, message } = await rig.send("POST", "/v1.41/build?t=x", Buffer.alloc(4_000_000));
    assert.equal(status, 403);
    assert.equal(message, "FL1901: images are built by people, not by agents");
  });
});

describe("what is copied into a container", () => {
  const put = `/containers/${OWN}/archive?path=/tmp`;

  test("may be as large as copy= says, with a length and without", async () => {
    await using rig = await openWardenRig("guarded images=busybox:* copy=1m");
    assert.equal((await rig.send("PUT", put, Buffer.alloc(1_048_576))).status, 200);
    assert.equal(rig.reached.at(-1)?.body.length, 1_048_576);
    rig.reached.length = 0;
    const large = await rig.send("PUT", put, Buffer.alloc(1_048_577));
    assert.deepEqual(
      [large.status, large.message],
      [403, "FL1901: a copy may have at most 1.0 MiB (copy in fairlead.docker)"],
    );
    assert.ok(
      rig.reached.every(({ method }) => method === "GET"),
      "it was seen by its length",
    );
    const chunk = `40000\r\n${"x".repeat(0x4_0000)}\r\n`;
    const head = `PUT ${put} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
    assert.match(await rig.sendRaw(`${head}${chunk.repeat(4)}0\r\n\r\n`), /^HTTP\/1\.1 200 /);
    assert.match(
      await rig.sendRaw(`${head}${chunk.repeat(5)}0\r\n\r\n`),
      /^HTTP\/1\.1 403 [^]*FL1901: a copy may have at most 1.0 MiB/,
    );
    assert.equal(
      await rig.cut,
      `PUT ${put.replace("=/", "=%2F")}`,
      "the engine has seen no end of it",
    );
  });
});
