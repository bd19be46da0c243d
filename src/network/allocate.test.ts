// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  contains,
  countAddresses,
  formatAddress,
  formatBlock,
  hasAddress,
  overlaps,
  parseAddress,
  parseBlock,
  type Block,
} from "#base/addresses.ts";
import { findFreeBlock, findFreeVni, VNI_FIRST } from "./allocate.ts";

function block(text: string): Block {
  const parsed = parseBlock(text);
  assert.ok(parsed !== undefined, text);
  return parsed;
}

/** Blocks of all sizes near each other, in and around 10.77.0.0/16 or fd00::/50. */
const anyBlock = fc
  .record({
    six: fc.boolean(),
    prefix: fc.integer({ min: 12, max: 30 }),
    at: fc.integer({ min: 0, max: 0xf_ffff }),
  })
  .map(({ six, prefix, at }): Block => {
    const family = six ? 6 : 4;
    const bits = six ? prefix + 34 : prefix;
    const base = six ? 0xfd00n << 112n : 0x0a4d_0000n;
    const size = countAddresses({ family, first: 0n, prefix: bits });
    const first = ((base + BigInt(at) * (six ? 1n << 76n : 1n)) / size) * size;
    return { family, first: BigInt.asUintN(six ? 128 : 32, first), prefix: bits };
  });

describe("addresses", () => {
  test("are read and written as the kernel writes them", () => {
    const pairs = [
      ["10.77.0.1", "10.77.0.1"],
      ["FD00:0:0:0:0:0:0:1", "fd00::1"],
      ["::", "::"],
      ["::1", "::1"],
      ["fe80::", "fe80::"],
      ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
      ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
      ["1:0:0:2:3:0:0:4", "1::2:3:0:0:4"],
      ["0:0:1:10:0:0:0:0", "0:0:1:10::"],
      ["::ffff:10.0.0.1", "::ffff:a00:1"],
    ] as const;
    for (const [read, written] of pairs) {
      const parsed = parseAddress(read);
      assert.equal(parsed && formatAddress(parsed.family, parsed.value), written);
    }
    for (const none of ["", "10.0.0", "10.0.0.256", "fe80::1%eth0", "1:2", "10.0.0.1/24", "x"])
      assert.equal(parseAddress(none), undefined, none);
  });

  test("are read as they were written", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), fc.boolean(), (bits, sparse) => {
        // Every other value with long runs of zeros.
        const value = sparse ? bits & 0xffff_0000_0000_ffff_0000_0000_0000_0001n : bits;
        assert.deepEqual(parseAddress(formatAddress(6, value)), { family: 6, value });
      }),
    );
  });

  test("make blocks, which have nothing after their prefix", () => {
    assert.equal(formatBlock(block("10.77.0.0/16")), "10.77.0.0/16");
    assert.equal(formatBlock(block("fd00:77::/64")), "fd00:77::/64");
    for (const none of ["10.77.0.1/16", "10.77.0.0/33", "10.77.0.0", "fd00::/129", "/8", "a/8"])
      assert.equal(parseBlock(none), undefined, none);
    assert.ok(hasAddress(block("10.77.0.0/16"), "10.77.255.255"));
    assert.ok(!hasAddress(block("10.77.0.0/16"), "10.78.0.0"));
    assert.ok(!hasAddress(block("10.77.0.0/16"), "fd00::1"));
    assert.ok(!hasAddress(block("10.77.0.0/16"), "no address"));
  });
});

describe("findFreeBlock()", () => {
  test("finds what is in the pool and overlaps nothing, or there is none", () => {
    fc.assert(
      fc.property(
        anyBlock,
        fc.nat(12),
        fc.array(anyBlock, { maxLength: 12 }),
        (pool, smaller, taken) => {
          const prefix = Math.min(pool.prefix + smaller, pool.family === 4 ? 32 : 128);
          const found = findFreeBlock(pool, prefix, taken);
          if (found === undefined) {
            // Then each block of that size is in somebody's way.
            const size = countAddresses({ ...pool, prefix });
            for (let first = pool.first; first < pool.first + countAddresses(pool); first += size)
              assert.ok(taken.some((one) => overlaps(one, { ...pool, first, prefix })));
            return;
          }
          assert.ok(contains(pool, found));
          assert.equal(found.first % countAddresses(found), 0n);
          assert.deepEqual(
            taken.filter((one) => overlaps(one, found)),
            [],
          );
        },
      ),
    );
  });

  test("gives a network's range away whole, host by host, and no more", () => {
    for (const [network, prefix] of [
      ["10.77.0.0/18", 24],
      ["fd00:77::/64", 70],
    ] as const) {
      const taken: Block[] = [];
      for (let i = 0; i < 64; i++) {
        const found = findFreeBlock(block(network), prefix, taken);
        assert.ok(found !== undefined);
        taken.push(found);
      }
      assert.equal(findFreeBlock(block(network), prefix, taken), undefined);
      const freed = taken[17];
      assert.deepEqual(
        findFreeBlock(block(network), prefix, taken.toSpliced(17, 1)),
        freed,
        "what is given back is found again",
      );
    }
  });

  test("has none that is larger than the pool", () => {
    assert.equal(findFreeBlock(block("10.77.0.0/16"), 8, []), undefined);
  });
});

describe("findFreeVni()", () => {
  test("gives what nobody has", () => {
    assert.equal(findFreeVni(new Set()), VNI_FIRST);
    assert.equal(findFreeVni(new Set([VNI_FIRST, VNI_FIRST + 2])), VNI_FIRST + 1);
  });
});
