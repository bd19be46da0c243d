// SPDX-License-Identifier: Apache-2.0
import { datagrams, dns, dnsAnswers } from "./datagram-targets.ts";
import { hub } from "./hub-target.ts";
import type { FuzzTarget } from "./target.ts";
import { compression, deframer, frames } from "./wire-targets.ts";

/** All of them. */
export const TARGETS: readonly FuzzTarget[] = [
  frames,
  deframer,
  compression,
  hub,
  datagrams,
  dns,
  dnsAnswers,
];
