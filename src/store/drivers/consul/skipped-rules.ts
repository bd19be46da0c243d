// SPDX-License-Identifier: Apache-2.0

const last =
  "Consul keeps no history: of several changes between two answers a watch sees the last; consul.test.ts shows that it always does";

/** Rules of the conformance suite that no Consul keeps, with the reason. */
export const SKIPPED_RULES: Readonly<Record<string, string>> = {
  "watch yields what came after its revision, a transaction at a time": last,
  "watch waits for changes to come": last,
  "a watcher that fell behind a bounded history is told so": last,
};
