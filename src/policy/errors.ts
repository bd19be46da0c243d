// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Why a file of policies is refused. */
export const policyErrors = defineErrors({
  "bad-policy": {
    id: "FL1501",
    code: "invalid_argument",
    cause: "A policy has a value that a NetworkPolicy cannot have there",
    remedy: "correct the place named; nothing of the file was taken",
  },
  "policy-unknown-field": {
    id: "FL1502",
    code: "invalid_argument",
    cause: "A policy has a field that NetworkPolicy does not have; it is never passed over",
    remedy: "correct or remove the field named; nothing of the file was taken",
  },
  "bad-policy-test": {
    id: "FL1504",
    code: "invalid_argument",
    cause:
      "A test of a policy does not say who shall or shall not reach whom, or names somebody who is not there",
    remedy: 'write { from: web, to: db, port: 5432, expect: deny }, or can: [web, "db:5432"]',
  },
  "policy-kind": {
    id: "FL1503",
    code: "invalid_argument",
    cause:
      "A document of a file of policies is no NetworkPolicy of networking.k8s.io/v1 and no Namespace",
    remedy: "move what is of another kind to a file of its own",
  },
});
