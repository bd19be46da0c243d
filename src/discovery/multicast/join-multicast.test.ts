// SPDX-License-Identifier: Apache-2.0
import { discoveryConformance } from "#discovery/discovery-conformance.ts";
import { chooseGroup, joinLoopback } from "#discovery/testing/join-loopback.ts";

discoveryConformance("multicast on loopback", async () => {
  const place = chooseGroup();
  const first = await joinLoopback("first", place);
  const second = await joinLoopback("second", place);
  return {
    first,
    second,
    async [Symbol.asyncDispose]() {
      await first[Symbol.asyncDispose]();
      await second[Symbol.asyncDispose]();
    },
  };
});
