// SPDX-License-Identifier: Apache-2.0
import { fullHostLost } from "./full-host-case.ts";
import { HOST_CASES } from "./host-cases.ts";
import { NETWORK_CASES } from "./network-cases.ts";
import { NODE_CASES } from "./node-cases.ts";
import type { FaultCase } from "./run-case.ts";
import { soak } from "./soak-case.ts";
import { STORE_CASES } from "./store-cases.ts";
import { VERSION_CASES } from "./version-cases.ts";

/** All faults that are let loose on a fleet, in the order in which they run. */
export const CASES: readonly FaultCase[] = [
  ...NODE_CASES,
  ...NETWORK_CASES,
  ...HOST_CASES,
  fullHostLost,
  ...STORE_CASES,
  soak,
  ...VERSION_CASES,
];
