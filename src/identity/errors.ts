// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Why somebody is not who it has to be. */
export const identityErrors = defineErrors({
  "authority-files": {
    id: "FL2001",
    code: "failed_precondition",
    cause: "The files of the authority that the settings name cannot be used",
    remedy: "see identity.certFile, identity.keyFile and identity.caFile in `fairlead config show`",
  },
  "certificate-refused": {
    id: "FL2002",
    code: "unauthenticated",
    cause: "The certificate that was shown is not that of a node of this fleet",
    remedy: "see `fairlead identity ls` for the certificates that are believed",
  },
});
