// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Kinds of error of the brain room. */
export const brainErrors = defineErrors({
  "no-end": {
    id: "FL0790",
    code: "internal",
    cause: "Planning did not reach a state in which nothing is left to do",
    remedy: "report it with the output of `fairlead config` and `fairlead ps -o json`",
  },
});
