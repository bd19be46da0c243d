// SPDX-License-Identifier: Apache-2.0
// What may be skipped: rules that something real cannot keep, never a tool that is absent (`npm test` brings those).
// The runner counts every other skipped test as failed; tests/tidy.test.ts finds the words in the sources.

/** A file of tests, and why tests of it may be skipped. */
export const ALLOWED_SKIPS: Readonly<Record<string, string>> = {
  "src/store/drivers/etcd/driver.real.test.ts":
    "etcd keeps its whole history, so two rules about a bounded one hold for no etcd",
  "src/store/drivers/consul/driver.test.ts":
    "Consul keeps no history, so three rules about one hold for no Consul",
  "src/store/drivers/consul/driver.real.test.ts":
    "Consul's agent is in no distribution that tests run on; the suite runs on one that CONSUL_BIN names",
};
