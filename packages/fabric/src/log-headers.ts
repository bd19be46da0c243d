// SPDX-License-Identifier: Apache-2.0

/** Headers of an item of the log that are not the publisher's own. */
export const HEADER = {
  subject: "$subject",
  id: "$id",
  key: "$key",
  sequence: "$sequence",
  attempt: "$attempt",
  publishedAtMs: "$published-at",
} as const;
