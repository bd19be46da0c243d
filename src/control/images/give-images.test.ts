// SPDX-License-Identifier: Apache-2.0
// Real connections on loopback between nodes whose engines only have an image to give.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { ImageDetails } from "#engine/engine.ts";
import { createLabAuthority } from "#lab/peer-credentials.ts";
import { buildNodeView } from "#model/testing/nodes.ts";
import { createSystemClock } from "#node/system-clock.ts";
import type { Peering } from "#peering/peering.ts";
import { startPeering } from "#peering/start-peering.ts";
import { findGivers, type Giver } from "./find-givers.ts";
import { giveImages } from "./give-images.ts";
import { describeImage, GIVE_PATH } from "./given-image.ts";
import { receiveImage } from "./receive-image.ts";

const ADDRESS = "127.0.0.1";
const BYTES = Buffer.from("the same image is saved in the same bytes each time");
const idOf = (digit: string): string => `sha256:${digit.repeat(64)}`;

const lab = await createLabAuthority();
const start = async (id: string): Promise<Peering> =>
  startPeering({ address: ADDRESS, port: 0, credentials: await lab.issue(id) });

function describe(digit: string, parts: Partial<ImageDetails> = {}): ImageDetails {
  const made = { os: "linux", arch: "amd64", variant: "", sizeBytes: 9, createdAtMs: 1 };
  return { id: idOf(digit), tags: [], ...made, ...parts };
}

async function* cut(bytes: Buffer, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += sizeBytes) yield bytes.subarray(at, at + sizeBytes);
}

const giver = (name: string, { port }: Peering): Giver => ({
  name,
  place: { id: name, address: ADDRESS, port },
  image: describeImage(describe("a")),
});

function view(name: string, { port }: Peering, parts: Partial<NodeView> = {}): NodeView {
  return buildNodeView(name, { id: name, address: ADDRESS, port, ...parts });
}

test("who was cut off goes on with another node where it was, if that saves the image in the same bytes", async () => {
  await using asker = await start("asker");
  await using broken = await start("broken");
  await using other = await start("other");
  await using same = await start("same");
  const taken = Promise.withResolvers<void>();
  broken.answer(GIVE_PATH, async ({ query }) => ({
    kind: "stream",
    chunks: (async function* () {
      if (query.get("from") !== "0") throw new Error("cut");
      yield BYTES.subarray(0, 10);
      await taken.promise;
      throw new Error("cut");
    })(),
  }));
  const give = (peering: Peering, bytes: Buffer): void =>
    giveImages(peering, {
      inspectImage: async () => describe("a"),
      exportImage: async () => cut(bytes, 7),
    });
  give(other, Buffer.from(BYTES.toString().toUpperCase()));
  give(same, BYTES);
  const cuts: string[] = [];
  const receive = (...givers: Giver[]): Promise<Buffer> =>
    buffer(
      receiveImage({
        peering: asker,
        clock: createSystemClock(),
        givers,
        signal: new AbortController().signal,
        onBytes: () => taken.resolve(),
        onCut: ({ name }, atBytes, why) => void cuts.push(`${name} ${atBytes} ${why}`),
      }),
    );
  const whole = await receive(giver("broken", broken), giver("other", other), giver("same", same));
  assert.deepEqual(whole, BYTES);
  assert.ok(
    cuts.every((line) => / 10 /.test(line)),
    cuts.join("\n"),
  );
  assert.match(cuts.at(-1) ?? "", /^other 10 the first 10 bytes are others/);
  assert.equal(cuts[0]?.startsWith("broken 10 "), true);
});

test("two images are given at once; the third waits until one of them has ended", async () => {
  await using asker = await start("asker");
  await using node = await start("node");
  const begun: string[] = [];
  const ends = [new AbortController(), new AbortController()];
  giveImages(node, {
    inspectImage: async () => describe("a"),
    async exportImage(id) {
      const turn = begun.push(id) - 1;
      return (async function* () {
        yield BYTES;
        const end = ends[turn];
        if (end !== undefined) await once(end.signal, "abort");
      })();
    },
  });
  const prefix = createHash("sha256").digest("hex");
  const take = (digit: string) =>
    asker.stream({ id: "node", address: ADDRESS, port: node.port }, GIVE_PATH, {
      query: { id: idOf(digit), from: "0", prefix },
    });
  const first = await take("1");
  const second = await take("2");
  const third = take("3");
  ends[0]?.abort();
  assert.deepEqual(await buffer(first), BYTES);
  assert.deepEqual(await buffer(await third), BYTES);
  assert.deepEqual(begun, [idOf("1"), idOf("2"), idOf("3")]);
  for await (const _ of second) break;
});

test("the nearest that has the image made last gives it; all others are named with the reason", async () => {
  await using asker = await start("asker");
  const images = {
    far: describe("b", { createdAtMs: 2 }),
    near: describe("b", { createdAtMs: 2 }),
    old: describe("a"),
    arm: describe("c", { arch: "arm64", createdAtMs: 3 }),
    none: undefined,
  };
  await using stack = new AsyncDisposableStack();
  const nodes: NodeView[] = [view("asker", asker, { self: true })];
  for (const [name, image] of Object.entries(images)) {
    const peering = stack.use(await start(name));
    giveImages(peering, {
      inspectImage: async () => image,
      exportImage: async () => cut(BYTES, 7),
    });
    nodes.push(view(name, peering, { rttMs: name === "far" ? 9 : 1 }));
  }
  nodes.push(view("lost", asker, { state: "gone" }));
  const wanted = { reference: "app:1", platform: "linux/x86_64" };
  const search = await findGivers(asker, nodes, wanted, new AbortController().signal);
  assert.deepEqual(
    search.givers.map(({ name }) => name),
    ["near", "far"],
  );
  assert.deepEqual(search.others.toSorted(), [
    "arm has it for linux/arm64, not for linux/x86_64",
    "lost was not asked: it is gone",
    "none has no such image",
    "old has an older",
  ]);
});
