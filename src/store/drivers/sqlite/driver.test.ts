// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { storeConformance } from "#store/store-conformance.ts";
import { createManualClock } from "#store/testing/manual-clock.ts";
import { openSqliteStore } from "./driver.ts";

storeConformance("sqlite", {
  capabilities: { reopen: true },
  async create() {
    const clock = createManualClock();
    const directory = await mkdtemp(join(tmpdir(), "fairlead-store-"));
    let store = await openSqliteStore({ directory }, { clock });
    return {
      get store() {
        return store;
      },
      expiryLagMs: 0,
      elapse: (ms) => clock.advance(ms),
      jumpWallClock: (ms) => clock.jump(ms),
      async reopen() {
        await store[Symbol.asyncDispose]();
        store = await openSqliteStore({ directory }, { clock });
      },
      async [Symbol.asyncDispose]() {
        await store[Symbol.asyncDispose]();
        await rm(directory, { recursive: true });
      },
    };
  },
});
