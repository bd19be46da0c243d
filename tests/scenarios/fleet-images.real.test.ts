// SPDX-License-Identifier: Apache-2.0
// Images without a registry: two hosts with real engines on a real etcd. A host that lacks an image gets it from one that has
// it; a third that the test plays cuts off and lies.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { after, before, test } from "node:test";
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { FairleadError } from "#base/errors.ts";
import { fetchImage } from "#control/images/fetch-image.ts";
import { describeImage, FIND_PATH, GIVE_PATH } from "#control/images/given-image.ts";
import { packFiles } from "#engine/drivers/docker/tar.ts";
import { startEtcd, type EtcdCluster } from "#lab/etcd.ts";
import { importTar } from "#lab/images.ts";
import { createLabAuthority } from "#lab/peer-credentials.ts";
import { playMember } from "#lab/play-node.ts";
import { IMAGE, openRig, until, type Rig } from "#lab/rig.ts";
import { createSystemClock } from "#node/system-clock.ts";
import type { Peering, PeerPlace } from "#peering/peering.ts";
import { startPeering } from "#peering/start-peering.ts";
import { openStore } from "#store/open.ts";
import type { Store } from "#store/store.ts";
import { FLEET_PORT, fleetAddress, fleetSettings } from "./fleet-process.ts";

const PATIENCE_MS = 30_000;
const NAMES = ["node-a", "node-b"] as const;
const OWN = "own:1";
/** A file whose name stands at its beginning too. */
const PAYLOAD = "/payload-of-the-test";
const clock = createSystemClock();
const BY = { decision: "test" };

let cluster: EtcdCluster;
let rigs: readonly Rig[] = [];
/** The fleet's part of etcd. */
let fleetStore: Store;

function rigOf(name: (typeof NAMES)[number]): Rig {
  const rig = rigs[NAMES.indexOf(name)];
  assert.ok(rig !== undefined);
  return rig;
}

async function listNodes(rig: Rig): Promise<readonly NodeView[]> {
  return (await rig.ask<{ items: readonly NodeView[] }>("nodes")).body.items;
}

async function listDecisions(rig: Rig): Promise<readonly Decision[]> {
  return (
    await rig.ask<{ items: Decision[] }>(
      `decisions?limit=200&node=${NAMES[rigs.indexOf(rig)] ?? ""}`,
    )
  ).body.items;
}

async function idOn(rig: Rig, reference: string): Promise<string | undefined> {
  return (await rig.engine.inspectImage(reference))?.id;
}

/** Busybox, and what no other image has. */
async function importOwn(rig: Rig): Promise<void> {
  const owner = { mode: 0o755, uid: 0, gid: 0 };
  const tar = packFiles([
    { path: "/bin/busybox", content: readFileSync("/bin/busybox"), ...owner },
    {
      path: PAYLOAD,
      content: Buffer.concat([Buffer.from(PAYLOAD), randomBytes(4_000_000)]),
      ...owner,
    },
  ]);
  const command = JSON.stringify(["/bin/busybox", "sleep", "1000000"]);
  await importTar(rig.lab, OWN, Readable.from([tar]), [`CMD ${command}`]);
}

before(async () => {
  cluster = await startEtcd();
  rigs = await Promise.all(
    NAMES.map((_, index) => openRig({ env: fleetSettings(cluster, index) })),
  );
  await importOwn(rigOf("node-a"));
  await Promise.all(rigs.map((rig) => rig.startNode()));
  for (const rig of rigs)
    await until("both are alive", PATIENCE_MS, async () => {
      const states = (await listNodes(rig)).map(({ state }) => state);
      return states.length === 2 && states.every((state) => state === "alive");
    });
  const prefix = "/fairlead/fleets/harbour/";
  fleetStore = await openStore({ kind: "etcd", endpoints: cluster.endpoints, prefix }, { clock });
});
after(async () => {
  await Promise.all(rigs.map((rig) => rig[Symbol.asyncDispose]()));
  await fleetStore?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

test("an instance comes up on a host that lacks its image, which no registry has", async () => {
  const [a, b] = [rigOf("node-a"), rigOf("node-b")];
  const folder = join(b.directory, "project");
  mkdirSync(folder);
  const file = join(folder, "compose.yaml");
  writeFileSync(
    file,
    `name: own
services:
  web:
    image: ${OWN}
    init: true
    stop_grace_period: 0s
    deploy: { replicas: 2 }
`,
  );
  assert.equal(await idOn(b, OWN), undefined);
  const up = await b.cli(["up", "-f", file, "--timeout", "60s"]);
  assert.equal(up.code, 0, up.stdout + up.stderr);
  const own = (await b.engine.listInstances()).filter(({ scope }) => scope === "own");
  assert.deepEqual(
    own.map(({ state, imageId }) => [state, imageId]),
    [["running", await idOn(a, OWN)]],
  );
  const acts = (await listDecisions(b)).filter(({ object }) => object === OWN).toReversed();
  const fetched = acts.find(({ act }) => act === "image.fetch");
  assert.equal(acts[0]?.act, "image.pull", "the registry is asked first");
  assert.equal(fetched?.outcome, "done", JSON.stringify(acts));
  assert.match(fetched.result ?? "", /^fetched sha256:[0-9a-f]{12} in .+: .+ MiB from node-a$/);
  assert.match(fetched.trigger.detail, /FL0310/);
  const down = await b.cli(["down", "--scope", "own"]);
  assert.equal(down.code, 0, down.stdout + down.stderr);
});

test("an image that nobody has is said to be nowhere, with who was asked", async () => {
  const b = rigOf("node-b");
  const file = join(b.directory, "project/nowhere.yaml");
  writeFileSync(file, "name: nowhere\nservices:\n  web: { image: nowhere:1 }\n");
  const up = await b.cli(["up", "-f", file, "--timeout", "60s"]);
  assert.equal(up.code, 1, up.stdout + up.stderr);
  await until("it is said", PATIENCE_MS, async () =>
    (await Promise.all(rigs.map(listDecisions)))
      .flat()
      .some(
        ({ act, result = "" }) =>
          act === "image.fetch" &&
          /^FL0741 image-nowhere: no other node can give nowhere:1: node-[ab] has no such image$/.test(
            result,
          ),
      ),
  );
  await b.cli(["down", "--scope", "nowhere"]);
});

/** A third node, whose answers are the test's; node-a is asked through it. */
const play = (id: string): Promise<Peering> =>
  playMember({ store: fleetStore, fleet: "harbour", address: fleetAddress(8) }, id);

async function placeOfA(): Promise<PeerPlace> {
  const [self] = await listNodes(rigOf("node-a"));
  return { id: self?.id ?? "", address: fleetAddress(0), port: FLEET_PORT };
}

/** How the roll would show the played node. */
function view({ port }: Peering, id: string): NodeView {
  return {
    id,
    name: id,
    address: fleetAddress(8),
    port,
    incarnation: 1,
    version: "0",
    os: "linux",
    arch: "x86_64",
    cpuCount: 1,
    memoryBytes: 1,
    labels: {},
    devices: {},
    schedulable: true,
    draining: false,
    state: "alive",
    reason: "",
    self: false,
  };
}

test("what is cut off goes on where it was, what is changed on the way is refused, strangers get nothing", async () => {
  const [a, b] = [rigOf("node-a"), rigOf("node-b")];
  const place = await placeOfA();
  const details = await a.engine.inspectImage(OWN);
  assert.ok(details !== undefined);
  const find = async () => ({ kind: "value", value: describeImage(details) }) as const;
  await using relay = await play("relay");
  await using asker = await play("asker");
  const asked: number[] = [];
  relay.answer(FIND_PATH, find);
  relay.answer(GIVE_PATH, async ({ query, signal }) => {
    asked.push(Number(query.get("from")));
    const whole = await relay.stream(place, GIVE_PATH, {
      query: Object.fromEntries(query),
      signal,
    });
    return { kind: "stream", chunks: asked.length < 3 ? cutAfter(whole, 1_000_000) : whole };
  });
  const parts = { engine: b.engine, peering: asker, nodes: [view(relay, "relay")], clock };
  const fetch = (nodes = parts.nodes): Promise<string> =>
    fetchImage(
      { ...parts, nodes },
      { reference: OWN, platform: undefined },
      { ...BY, signal: AbortSignal.timeout(PATIENCE_MS) },
    );
  await b.engine.removeImage(OWN, { ...BY, force: true });
  const result = await fetch();
  assert.match(
    result,
    /relay was cut off at [\d.]+ [KM]iB: .+; relay was cut off at [\d.]+ [KM]iB: /,
  );
  assert.equal(await idOn(b, OWN), details.id);
  assert.deepEqual(
    asked,
    asked.toSorted((x, y) => x - y),
  );
  assert.ok(
    asked.length === 3 && asked.every((from, turn) => (turn === 0) === (from === 0)),
    String(asked),
  );

  // A layer whose bytes are others than the image says: whole by its own sum, refused by the engine.
  await b.engine.removeImage(OWN, { ...BY, force: true });
  await using liar = await play("liar");
  liar.answer(FIND_PATH, find);
  liar.answer(GIVE_PATH, async ({ query, signal }) => {
    const tar = await buffer(
      await liar.stream(place, GIVE_PATH, { query: Object.fromEntries(query), signal }),
    );
    const at = tar.lastIndexOf(PAYLOAD) + PAYLOAD.length;
    tar.writeUInt8(tar.readUInt8(at) ^ 1, at);
    return {
      kind: "stream",
      chunks: (async function* () {
        yield tar;
      })(),
    };
  });
  const liarView = view(liar, "liar");
  await assert.rejects(fetch([liarView]), (error: FairleadError) => {
    assert.equal(error.kind.id, "FL0742", error.message);
    assert.match(error.message, /from liar: /);
    return true;
  });
  assert.equal(await idOn(b, OWN), undefined);
  asked.length = 3;
  assert.match(await fetch([liarView, view(relay, "relay")]), /from relay; from liar: /);
  assert.equal(await idOn(b, OWN), details.id);

  await using stranger = await startPeering({
    address: fleetAddress(8),
    port: 0,
    credentials: await (await createLabAuthority("harbour")).issue("asker"),
  });
  await assert.rejects(
    stranger.ask(place, FIND_PATH, { query: { reference: IMAGE } }),
    (error: FairleadError) => error.kind.slug === "peer-untrusted",
  );
});

async function* cutAfter(
  whole: AsyncIterable<Uint8Array>,
  sizeBytes: number,
): AsyncGenerator<Uint8Array> {
  let left = sizeBytes;
  for await (const piece of whole) {
    yield piece.subarray(0, left);
    left -= piece.length;
    if (left <= 0) throw new Error("cut");
  }
}
