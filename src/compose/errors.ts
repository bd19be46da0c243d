// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Kinds of error and warning of the compose room. */
export const composeErrors = defineErrors({
  "file-unreadable": {
    id: "FL0201",
    code: "not_found",
    cause: "A file that is named does not exist or cannot be read",
    remedy: "correct the path, or create the file",
  },
  "not-yaml": {
    id: "FL0202",
    code: "invalid_argument",
    cause: "The file is not YAML",
    remedy: "correct the line named in the message",
  },
  "duplicate-key": {
    id: "FL0203",
    code: "invalid_argument",
    cause: "One mapping has the same key twice, so one of the values would be lost",
    remedy: "remove or rename one of them",
  },
  "too-big": {
    id: "FL0204",
    code: "resource_exhausted",
    cause: "The file is larger, deeper or expands to more than any real Compose file",
    remedy: "split the file, or remove the aliases that multiply it",
  },
  "unknown-key": {
    id: "FL0205",
    code: "invalid_argument",
    cause: "The Compose Specification has no such key here",
    remedy: "correct the key; docs/reference/compose.md lists them all; own keys begin with x-",
  },
  "wrong-type": {
    id: "FL0206",
    code: "invalid_argument",
    cause: "A value is of another type than the Compose Specification asks for",
    remedy: "write the value in the form that the message names",
  },
  "bad-value": {
    id: "FL0207",
    code: "invalid_argument",
    cause: "A value does not have the form that its key needs",
    remedy: "write the value in the form that the message names",
  },
  "bad-interpolation": {
    id: "FL0208",
    code: "invalid_argument",
    cause: "A $ begins something that is not a variable",
    remedy: "write ${NAME}, ${NAME:-default}, or $$ for a dollar sign",
  },
  "variable-required": {
    id: "FL0209",
    code: "failed_precondition",
    cause: "The file says that a variable has to have a value, and it has none",
    remedy: "set the variable in the environment or in the .env file",
  },
  "unsupported-key": {
    id: "FL0210",
    code: "unimplemented",
    cause: "The Compose Specification has this key, and Fairlead does not act on it",
    remedy: "remove the key, or live without its effect; docs/reference/compose.md says why",
  },
  "unknown-label": {
    id: "FL0211",
    code: "invalid_argument",
    cause: "There is no such fairlead label",
    remedy: "correct the label; docs/reference/compose.md lists them all",
  },
  "bad-label": {
    id: "FL0212",
    code: "invalid_argument",
    cause:
      "A fairlead label has a value that does not fit; it has no effect, or would keep somebody out and is refused",
    remedy: "write the value in the form that the message names",
  },
  "label-conflict": {
    id: "FL0213",
    code: "failed_precondition",
    cause: "Two places give the same fairlead label different values",
    remedy: "keep one of them",
  },
  cycle: {
    id: "FL0214",
    code: "failed_precondition",
    cause: "Things need each other in a circle, so none can be first",
    remedy: "remove one step of the circle",
  },
  "undefined-reference": {
    id: "FL0215",
    code: "failed_precondition",
    cause: "Something is referred to that the files do not define",
    remedy: "define it, or correct the name",
  },
  "outside-project": {
    id: "FL0216",
    code: "permission_denied",
    cause: "A Compose file names an input outside of the project directory, links resolved",
    remedy: "move the file into the project, or allow its directory with --allow-path",
  },
  "include-conflict": {
    id: "FL0217",
    code: "already_exists",
    cause: "An included file defines something that is also defined elsewhere, and differently",
    remedy: "rename one of the two, or override it with a further -f",
  },
  "bad-name": {
    id: "FL0218",
    code: "invalid_argument",
    cause: "A name has characters that the engine does not take",
    remedy: "use letters, digits, and . _ - inside",
  },
  contradiction: {
    id: "FL0219",
    code: "failed_precondition",
    cause: "Two keys of one service cannot hold at the same time",
    remedy: "keep one of them",
  },
  "bad-env-file": {
    id: "FL0220",
    code: "invalid_argument",
    cause: "A line of an environment or label file is not NAME=value",
    remedy: "correct the line named in the message",
  },
  "variable-unset": {
    id: "FL0221",
    code: "failed_precondition",
    cause: "A variable has no value and no default, so it became an empty text",
    remedy: "set the variable, or write ${NAME:-default}",
  },
  "no-image": {
    id: "FL0222",
    code: "invalid_argument",
    cause: "A service has neither image nor build",
    remedy: "give it an image or a build context",
  },
  "no-services": {
    id: "FL0223",
    code: "invalid_argument",
    cause: "The files define no service",
    remedy: "add a services section",
  },
  "unsupported-value": {
    id: "FL0224",
    code: "unimplemented",
    cause: "The value is good Compose, and Fairlead cannot do what it asks for",
    remedy: "use another value",
  },
});
