// SPDX-License-Identifier: Apache-2.0
import { FabricError } from "./errors.ts";
import type { Headers } from "./frame.ts";
import { checkHeaders } from "./headers.ts";

/** Headers of an item of the log that are not the publisher's own. */
export const HEADER = {
  subject: "$subject",
  id: "$id",
  key: "$key",
  sequence: "$sequence",
  attempt: "$attempt",
  publishedAtMs: "$published-at",
  /** Name of the agent that published it, as its link shows it. */
  from: "$from",
} as const;

/** A publisher's own headers. What the node adds, also for a dead letter, has to fit beside them. */
const LIMITS = { countMax: 40, bytesMax: 3_072 };
/** Characters of a key and of a dedupe word. */
const WORD_MAX = 255;

/** Throws `invalid_argument` for what the log cannot keep beside a message. */
export function checkKept(headers: Headers, key: string | undefined, id: string): void {
  checkHeaders(headers, LIMITS);
  for (const [name, word] of Object.entries({ key, "dedupe word": id }))
    if (word !== undefined && word.length > WORD_MAX)
      throw new FabricError(
        "invalid_argument",
        `the ${name} has ${word.length} characters, and ${WORD_MAX} at most are kept`,
        { reason: "too-large" },
      );
}
