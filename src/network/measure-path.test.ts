// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { chooseNetworkMtu, measurePath, type PathProbe } from "./measure-path.ts";

/** A path that carries `mtu`, behind a device that takes `device`. */
function createPath({ device = 1_500, mtu = 1_500, tells = true, lossPercent = 0, dice = 0 }) {
  let ceiling = device;
  let seed = dice;
  let sent = 0;
  const isLost = (): boolean => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (seed >> 8) % 100 < lossPercent;
  };
  const probe: PathProbe = {
    readCeiling: () => Promise.resolve(ceiling),
    send(sizeBytes) {
      sent++;
      // What is larger than the kernel believes in goes in pieces, and these arrive.
      if (sizeBytes > mtu && sizeBytes <= ceiling) {
        if (tells) ceiling = mtu;
        return Promise.resolve(false);
      }
      return Promise.resolve(!isLost());
    },
  };
  return { probe, countSent: () => sent };
}

describe("measurePath()", () => {
  test("believes a device when its largest packet arrives, with one question", async () => {
    const { probe, countSent } = createPath({ device: 9_000, mtu: 9_000 });
    assert.deepEqual(await measurePath(probe), { mtu: 9_000, ceiling: 9_000, blackHole: false });
    assert.equal(countSent(), 1);
  });

  test("believes a router that tells", async () => {
    const { probe } = createPath({ mtu: 1_400 });
    assert.deepEqual(await measurePath(probe), { mtu: 1_400, ceiling: 1_400, blackHole: false });
  });

  test("finds a black hole, to the byte", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1_281, max: 9_000 }),
        fc.integer({ min: 1_280, max: 9_000 }),
        async (device, hole) => {
          const mtu = Math.min(device, hole);
          const { probe } = createPath({ device, mtu, tells: false });
          assert.deepEqual(await measurePath(probe), {
            mtu,
            ceiling: device,
            blackHole: mtu < device,
          });
        },
      ),
    );
  });

  test("takes no lost packet for a hole", async () => {
    for (let dice = 1; dice <= 200; dice++) {
      const { probe } = createPath({ lossPercent: 5, dice });
      assert.equal((await measurePath(probe))?.mtu, 1_500, `seed ${dice}`);
    }
  });

  test("takes no pause of the other host for a hole", async () => {
    const { probe } = createPath({ device: 9_000, mtu: 8_000, tells: false });
    // Five in a row are one question and all its repetitions.
    for (let from = 1; from < 90; from++) {
      let count = 0;
      const send = async (sizeBytes: number): Promise<boolean> => {
        const isPaused = ++count >= from && count < from + 5;
        return (await probe.send(sizeBytes)) && !isPaused;
      };
      const found = await measurePath({ ...probe, send });
      if (found !== undefined) assert.equal(found.mtu, 8_000, `paused at ${from}`);
    }
  });

  test("says nothing where nothing answers", async () => {
    const silent = {
      readCeiling: () => Promise.resolve(1_500),
      send: () => Promise.resolve(false),
    };
    assert.equal(await measurePath(silent), undefined);
    const nowhere = { ...silent, readCeiling: () => Promise.resolve(undefined) };
    assert.equal(await measurePath(nowhere), undefined);
  });
});

test("chooseNetworkMtu() takes the smallest path less what goes around a packet", () => {
  assert.equal(chooseNetworkMtu(4, false, [1_500, 1_400, 9_000], 1_500), 1_350);
  assert.equal(chooseNetworkMtu(6, false, [1_500], 1_500), 1_430);
  assert.equal(chooseNetworkMtu(4, false, [], 1_500), 1_450);
  assert.equal(chooseNetworkMtu(4, true, [1_500], 1_500), 1_390);
  assert.equal(chooseNetworkMtu(6, true, [1_500], 1_500), 1_350);
});
