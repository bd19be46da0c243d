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
  "store-refused": {
    id: "FL0408",
    code: "permission_denied",
    cause: "The store's backend does not accept who this node says it is, or forbids it the keys",
    remedy:
      "check store.user and store.passwordFile, and that its role may read and write the prefix",
  },
  "store-file": {
    id: "FL0410",
    code: "failed_precondition",
    cause: "A file that the settings of the store name cannot be read",
    remedy: "correct the path or its permissions; `fairlead config show` prints the settings",
  },
  "store-not-empty": {
    id: "FL0411",
    code: "failed_precondition",
    cause: "Entries are copied into an empty store only, so that nothing is overwritten",
    remedy: "choose another store.prefix, or move the state directory's store aside",
  },
  "store-copy-differs": {
    id: "FL0412",
    code: "data_loss",
    cause: "What was read back is not what was copied: somebody else wrote meanwhile",
    remedy: "end every node of this store, empty the copy and copy again; the source is as it was",
  },
  "store-untrusted": {
    id: "FL0413",
    code: "unavailable",
    cause: "The store's backend and this node do not accept each other's certificates",
    remedy:
      "compare store.caFile, store.certFile and store.keyFile with what the store was started with",
  },
  "store-half-copied": {
    id: "FL0414",
    code: "failed_precondition",
    cause: "A copy into this store was cut off: a part of it is there, and the source is as it was",
    remedy: "run `fairlead store migrate` again, it begins anew; or say the former store.kind",
  },
  "store-lived-in": {
    id: "FL0415",
    code: "failed_precondition",
    cause: "A node announces itself in this store, and would go on writing to it",
    remedy: "end that node; what one that was killed announced is gone within a minute",
  },
  "store-other-kind": {
    id: "FL0416",
    code: "failed_precondition",
    cause: "Another kind of store than the one that is meant answers at that address",
    remedy:
      "say consul://HOST:PORT where the store is Consul, and HOST:PORT alone where it is etcd",
  },
  "store-limit": {
    id: "FL0409",
    code: "resource_exhausted",
    cause: "The backend's limits are smaller than this transaction",
    remedy: "start etcd with --max-txn-ops=4096 --max-request-bytes=41943040",
  },
});
