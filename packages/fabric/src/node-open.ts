// SPDX-License-Identifier: Apache-2.0
import type { Open } from "./frame.ts";

/** The opening of a conversation with a node itself, for one of its own methods. */
export function nodeOpen(method: string, streams = false): Open {
  return {
    target: "",
    method,
    deadlineMs: 0,
    caller: "",
    hops: 0,
    idempotent: true,
    streams,
    proof: "",
  };
}
