// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

export { vacateErrors } from "./vacate-errors.ts";

/** Kinds of error of the cli room. */
export const cliErrors = defineErrors({
  "unknown-command": {
    id: "FL0601",
    code: "invalid_argument",
    cause: "There is no such command",
    remedy: "see `fairlead --help`",
  },
  "unknown-flag": {
    id: "FL0602",
    code: "invalid_argument",
    cause: "The command has no such flag",
    remedy: "see `fairlead COMMAND --help`",
  },
  "missing-argument": {
    id: "FL0603",
    code: "invalid_argument",
    cause: "The command or flag needs a value that was not given",
    remedy: "see `fairlead COMMAND --help`",
  },
  "extra-argument": {
    id: "FL0604",
    code: "invalid_argument",
    cause: "The command does not take that many words",
    remedy: "see `fairlead COMMAND --help`",
  },
  "bad-value": {
    id: "FL0605",
    code: "invalid_argument",
    cause: "A word, or the value of a flag, is none of those that are taken there",
    remedy: "give one of the values that the message names",
  },
  "conflicting-flags": {
    id: "FL0606",
    code: "invalid_argument",
    cause: "Two flags ask for opposite things",
    remedy: "leave one of them out",
  },
  "no-compose-file": {
    id: "FL0607",
    code: "invalid_argument",
    cause: "No Compose file was named and none is in this directory or above it",
    remedy: "name one with -f FILE, or change to the directory it is in",
  },
  "unreadable-file": {
    id: "FL0608",
    code: "invalid_argument",
    cause: "A file that was named cannot be read or is not what it should be",
    remedy: "check the path and its permissions",
  },
  "unwritable-file": {
    id: "FL0629",
    code: "failed_precondition",
    cause: "A file that was to be made cannot be written, or is there already",
    remedy: "name another file, or remove the one that is there",
  },
  "part-unreadable": {
    id: "FL0630",
    code: "unavailable",
    cause: "Something that a support bundle tells of could not be read on this host",
    remedy: "the bundle is made without it; see its README.txt",
  },
  "no-such-name": {
    id: "FL0622",
    code: "not_found",
    cause: "Nothing that this node knows has that name",
    remedy: "`fairlead ps -A` lists what there is",
  },
  "no-scope": {
    id: "FL0609",
    code: "invalid_argument",
    cause: "The command acts on one scope, and it is not clear which",
    remedy: "add --scope SCOPE; `fairlead ps -A` lists them",
  },
  "no-topic": {
    id: "FL0610",
    code: "invalid_argument",
    cause: "Neither a code, a label nor a setting has that name",
    remedy: "see `fairlead explain` for the list",
  },
  "node-unreachable": {
    id: "FL0611",
    code: "unavailable",
    cause: "No node answers on this socket",
    remedy:
      "start one with `fairlead up` in a Compose project, or `fairlead node` in the foreground",
  },
  "node-forbidden": {
    id: "FL0612",
    code: "permission_denied",
    cause: "This user may not open the node's socket; whoever may is as good as root on this host",
    remedy: "run the command as the user that started the node, or with sudo",
  },
  "node-answer": {
    id: "FL0613",
    code: "unavailable",
    cause: "What answered does not speak this version of the Fairlead API",
    remedy:
      "compare `fairlead version` with `fairlead status -o json`; restart the node after an upgrade",
  },
  "node-died": {
    id: "FL0614",
    code: "unavailable",
    cause: "The node ended before it was ready",
    remedy: "read the end of its log above, or run `fairlead node` to see it in the foreground",
  },
  "wait-expired": {
    id: "FL0615",
    code: "deadline_exceeded",
    cause: "The scope was not as wanted when the time ran out; the node goes on trying",
    remedy: "see `fairlead why`, or wait longer with --timeout",
  },
  "no-launcher": {
    id: "FL0616",
    code: "unavailable",
    cause: "A file that belongs to Fairlead is missing",
    remedy: "install Fairlead again: `npm ci` in its directory",
  },
  "build-failed": {
    id: "FL0617",
    code: "failed_precondition",
    cause: "The engine could not build the image; nothing was changed",
    remedy: "correct what the builder says above",
  },
  "not-removed": {
    id: "FL0618",
    code: "failed_precondition",
    cause: "Something that Fairlead made is still there",
    remedy: "remove what is listed by hand, or run `fairlead uninstall` again",
  },
  "bad-token": {
    id: "FL0628",
    code: "invalid_argument",
    cause: "What was given is no join token, or not the whole of one",
    remedy: "copy it again, whole, from where `fairlead token create` printed it",
  },
  "in-fleet": {
    id: "FL0623",
    code: "failed_precondition",
    cause: "A node belongs to one fleet at most, and this one has one already",
    remedy: "fairlead leave, then join the other",
  },
  "not-in-fleet": {
    id: "FL0627",
    code: "failed_precondition",
    cause: "There is no fleet that this host could leave",
    remedy: "see `fairlead config show --origin` for its settings",
  },
  "setting-fixed": {
    id: "FL0624",
    code: "failed_precondition",
    cause: "An environment variable sets what has to be written, and would win over the file",
    remedy: "take the variable away from this shell and from the node, then try again",
  },
  "store-in-use": {
    id: "FL0625",
    code: "failed_precondition",
    cause: "This node keeps its own state in another etcd than the fleet's, and can name only one",
    remedy: "take it out first: fairlead store migrate --to sqlite",
  },
  "not-taking-part": {
    id: "FL0626",
    code: "unavailable",
    cause: "The settings are written, but the node does not stand on the fleet's roll yet",
    remedy:
      "read why above and in the node's log; it goes on trying. `fairlead leave` takes it back",
  },
  "no-fabric": {
    id: "FL0690",
    code: "unavailable",
    cause: "The fabric of the node cannot be reached",
    remedy: "start the node: fairlead node; only root and the node's user may open its socket",
  },
  "no-route": {
    id: "FL0930",
    code: "not_found",
    cause: "That agent has called nobody of that name since it joined",
    remedy:
      "name a service or contract that it calls; `fairlead call NAME … --explain` shows your own call",
  },
  "no-agent": {
    id: "FL0691",
    code: "not_found",
    cause: "Nobody of that name has joined the fabric in this scope",
    remedy: "fairlead agents -A",
  },
  "call-failed": {
    id: "FL0692",
    code: "aborted",
    cause: "The agent answered with an error",
    remedy: "read the agent's words in the message",
  },
  "call-expired": {
    id: "FL0693",
    code: "deadline_exceeded",
    cause: "The agent did not answer in time",
    remedy: "wait longer with --timeout, or see `fairlead agents`",
  },
  "connection-lost": {
    id: "FL0619",
    code: "unavailable",
    cause: "The node ended or the connection broke while it answered",
    remedy: "see `fairlead status`, then run the command again",
  },
  "node-runs": {
    id: "FL0621",
    code: "failed_precondition",
    cause: "What is to be done needs a node that does not run",
    remedy: "fairlead node stop, then run the command again; containers go on meanwhile",
  },
  "not-kept": {
    id: "FL0620",
    code: "failed_precondition",
    cause: "What the command is to remember cannot be written to this user's state directory",
    remedy: "correct its permissions, free space, or name another with XDG_STATE_HOME",
  },
});

export { doctorErrors } from "./doctor-errors.ts";
