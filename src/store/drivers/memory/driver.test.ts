// SPDX-License-Identifier: Apache-2.0
import { storeConformance } from "#store/store-conformance.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { createMemoryStore } from "./driver.ts";

storeConformance("memory", {
  capabilities: { reopen: false },
  async create() {
    const clock = createManualClock();
    const store = createMemoryStore({ clock });
    return {
      store,
      expiryLagMs: 0,
      elapse: (ms) => clock.advance(ms),
      jumpWallClock: (ms) => clock.jump(ms),
      reopen: () => Promise.reject(new Error("a memory store ends with its process")),
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    };
  },
});
