// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Kinds of error of the config room. */
export const configErrors = defineErrors({
  "unknown-setting": {
    id: "FL0651",
    code: "invalid_argument",
    cause: "The settings name something that no version of this node knows",
    remedy: "correct the name; docs/reference/config.md lists them all",
  },
  "bad-setting": {
    id: "FL0652",
    code: "invalid_argument",
    cause: "A setting has a value that does not fit",
    remedy: "correct the value; docs/reference/config.md says what fits",
  },
  "settings-unreadable": {
    id: "FL0653",
    code: "invalid_argument",
    cause: "The settings file cannot be read, or is not YAML",
    remedy: "correct the file, or name another with FAIRLEAD_CONFIG",
  },
});
