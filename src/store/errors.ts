// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Why the store says no. */
export const storeErrors = defineErrors({
  "store-unavailable": {
    id: "FL0401",
    code: "unavailable",
    cause: "The store's backend does not answer or its files cannot be reached",
    remedy: "check that the data directory exists, is writable and that its disk is healthy",
  },
  "store-full": {
    id: "FL0402",
    code: "resource_exhausted",
    cause: "There is no space left where the store writes; reading and healing go on",
    remedy: "free space on the disk of the data directory; writing resumes by itself",
  },
  "store-lagged": {
    id: "FL0403",
    code: "aborted",
    cause: "The changes asked for are no longer in the store's bounded history",
    remedy: "list again and watch from the revision of that list",
  },
  "store-corrupt": {
    id: "FL0404",
    code: "data_loss",
    cause: "The store's files do not match their checksums",
    remedy:
      "the files are set aside as *.corrupt-<time> and the node starts from the engine's labels; check the disk",
  },
  "store-locked": {
    id: "FL0405",
    code: "failed_precondition",
    cause: "Another process owns the data directory",
    remedy: "stop the other node, or give this one its own data directory",
  },
  "lease-expired": {
    id: "FL0406",
    code: "failed_precondition",
    cause: "The lease named by a put has expired or never existed",
    remedy: "grant a new lease and put the keys again",
  },
  "store-newer": {
    id: "FL0407",
    code: "failed_precondition",
    cause: "The data directory was written by a newer version of Fairlead",
    remedy: "run the newer version, or start with another data directory",
  },
});
