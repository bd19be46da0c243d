// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Kinds of error of the rights room. */
export const rightsErrors = defineErrors({
  "rights-malformed": {
    id: "FL2101",
    code: "invalid_argument",
    cause: "The text is not a set of policies in Cedar, or sees what there is not",
    remedy: "correct it at the place named; docs/rights.md has what policies can see",
  },
});
