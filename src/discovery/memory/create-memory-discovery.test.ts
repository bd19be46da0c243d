// SPDX-License-Identifier: Apache-2.0
import { discoveryConformance } from "#discovery/discovery-conformance.ts";
import { createMemoryNetwork } from "./create-memory-discovery.ts";

discoveryConformance("memory", () => {
  const network = createMemoryNetwork();
  const first = network.join();
  const second = network.join();
  return Promise.resolve({
    first,
    second,
    async [Symbol.asyncDispose]() {
      await first[Symbol.asyncDispose]();
      await second[Symbol.asyncDispose]();
    },
  });
});
