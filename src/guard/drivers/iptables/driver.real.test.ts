// SPDX-License-Identifier: Apache-2.0
// The contract by iptables over nf_tables, as Debian has it, and what is refused.
import assert from "node:assert/strict";
import { isKind } from "#base/errors.ts";
import { guardErrors } from "#guard/errors.ts";
import { asGuest, findWrong, makeOrder } from "#guard/testing/ground.ts";
import { allow, toWard } from "#guard/testing/rule.ts";
import { conformWithoutNft } from "#guard/testing/without-nft.ts";

conformWithoutNft("nft", {
  more: {
    "an instance that may call names is refused, and may call none": async (fixture) => {
      const { ground, guard, web, friend, stranger } = fixture;
      const ward = toWard(web, { egress: allow([friend.v4, friend.v6]), names: ["api.example"] });
      const isUnable = (thrown: unknown): boolean => isKind(thrown, guardErrors["guard-unable"]);
      await assert.rejects(guard.protect(ward), isUnable);
      await assert.rejects(guard.admit(web, [{ address: stranger.v4, seconds: 60 }]), isUnable);
      const cases = [
        [web, friend, 80, true],
        [web, stranger, 80, false],
      ] as const;
      assert.deepEqual(await findWrong(ground, cases), []);
    },

    "whoever could get around what shall hold has a port that carries nothing": async (fixture) => {
      const { ground, guard, web } = fixture;
      const strong = await ground.start("strong", 4, { isStrong: true });
      const old = await ground.start("old", 5, { isStrong: true, isOld: true });
      const others = [asGuest(web), asGuest(old)];
      const first = await guard.gate(makeOrder([...others, asGuest(strong)]));
      assert.match(first.refused.get(strong.id) ?? "", /NET_RAW.*another's IPv6 address/);
      assert.equal(first.refused.size, 1);
      const calls = { egress: allow([web.v4]) };
      const second = await guard.gate(makeOrder([asGuest(web), asGuest(old, calls)]));
      assert.match(second.refused.get(old.id) ?? "", /NET_ADMIN and NET_RAW it could call whom/);
      const probe = { address: web.v4, protocol: "TCP", port: 80 } as const;
      const denied = ["strong", "old"].map((from) => ({ ...probe, from, expect: false }));
      assert.deepEqual(await ground.packets.ask(denied), [false, false]);
      await guard.gate(makeOrder(others));
      const allowed = [{ ...probe, from: "old", expect: true }];
      assert.deepEqual(await ground.packets.ask(allowed), [true]);
      await ground.stop(strong);
      await ground.stop(old);
    },
  },
});
