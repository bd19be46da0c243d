// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Why somebody is not who it has to be. */
export const identityErrors = defineErrors({
  "authority-files": {
    id: "FL2001",
    code: "failed_precondition",
    cause: "The files of the authority that the settings name cannot be used",
    remedy:
      "correct identity.certFile, identity.keyFile or identity.caFile; `fairlead config show` prints them",
  },
  "authority-given": {
    id: "FL2003",
    code: "failed_precondition",
    cause:
      "The authority that signs is one that the owner has put into files, so Fairlead makes no other",
    remedy:
      "put another certificate and key into the files of identity.certFile and identity.keyFile; they are read within seconds",
  },
  "authority-unknown": {
    id: "FL2004",
    code: "unavailable",
    cause:
      "The authority that signs stands in the fleet's store, and the store has not answered since this node started",
    remedy:
      "see `fairlead doctor` for the store; what runs goes on, and new certificates are given once it answers. A node with an authority in files (identity.certFile) signs without the store",
  },
  "certificate-refused": {
    id: "FL2002",
    code: "unauthenticated",
    cause: "The certificate that was shown is not that of a node of this fleet",
    remedy: "see `fairlead identity ls` for the certificates that are believed",
  },
});
