// SPDX-License-Identifier: Apache-2.0
// The conformance suite on a stand-in for Consul: see testing/consul-stand-in/serve.ts for what that shows, and what not.
import { storeConformance } from "#store/store-conformance.ts";
import { createConsulStandIn } from "#store/testing/consul-stand-in/serve.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { systemClock } from "#store/testing/system-clock.ts";
import { openConsulStore } from "./driver.ts";
import { SKIPPED_RULES } from "./skipped-rules.ts";

storeConformance("consul (stand-in)", {
  capabilities: { reopen: true },
  skip: SKIPPED_RULES,
  async create() {
    const clock = createManualClock();
    const server = createConsulStandIn({
      clock,
      sessionTtlMinSeconds: 1,
      requestBytesMax: 64 * 1024 * 1024,
    });
    const { endpoint } = await server.open();
    const options = { endpoints: [endpoint] };
    let store = await openConsulStore(options, { clock: systemClock });
    return {
      get store() {
        return store;
      },
      gaps: true,
      expiryLagMs: 0,
      elapse: (ms) => clock.advance(ms),
      jumpWallClock: (ms) => clock.jump(ms),
      async reopen() {
        await store[Symbol.asyncDispose]();
        store = await openConsulStore(options, { clock: systemClock });
      },
      async [Symbol.asyncDispose]() {
        await store[Symbol.asyncDispose]();
        await server[Symbol.asyncDispose]();
      },
    };
  },
});
