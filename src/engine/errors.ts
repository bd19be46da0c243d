// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Kinds of error of the engine room. */
export const engineErrors = defineErrors({
  "engine-unreachable": {
    id: "FL0301",
    code: "unavailable",
    cause: "No Docker Engine answers at that address",
    remedy: "start the engine, or name another with DOCKER_HOST; see `fairlead doctor`",
  },
  "engine-too-old": {
    id: "FL0302",
    code: "failed_precondition",
    cause: "The engine's API is older than 1.41, the oldest that Fairlead speaks",
    remedy: "update the engine to 20.10 or newer",
  },
  "engine-forbidden": {
    id: "FL0303",
    code: "permission_denied",
    cause: "This user may not open the engine's socket",
    remedy:
      "run as root, or: sudo usermod -aG docker $USER (whoever is in that group can become root)",
  },
  "bad-endpoint": {
    id: "FL0304",
    code: "invalid_argument",
    cause: "The engine's address or context cannot be read",
    remedy: "write unix:///path or tcp://host:port, or the name of a Docker context",
  },
  "engine-timeout": {
    id: "FL0305",
    code: "deadline_exceeded",
    cause: "The engine did not answer in time; it may hang",
    remedy: "look at the engine's log; Fairlead tries again by itself",
  },
  "engine-too-new": {
    id: "FL0306",
    code: "failed_precondition",
    cause: "The engine no longer speaks an API that Fairlead knows",
    remedy: "update Fairlead",
  },
  "image-missing": {
    id: "FL0310",
    code: "not_found",
    cause: "The engine has no such image and could not get it",
    remedy: "build or load the image, or check its name",
  },
  "name-taken": {
    id: "FL0311",
    code: "already_exists",
    cause: "Another container, network or volume has that name",
    remedy: "remove or rename the other one",
  },
  "engine-refused": {
    id: "FL0312",
    code: "invalid_argument",
    cause: "The engine refused the request",
    remedy: "read the engine's words in the message",
  },
  "port-in-use": {
    id: "FL0313",
    code: "failed_precondition",
    cause: "Something else listens on a port that the service publishes",
    remedy: "stop the other one, or publish another port",
  },
  "build-failed": {
    id: "FL0314",
    code: "failed_precondition",
    cause: "The engine could not build the image",
    remedy: "read the builder's last lines",
  },
  "engine-failed": {
    id: "FL0315",
    code: "internal",
    cause: "The engine failed at the request",
    remedy: "look at the engine's log",
  },
  "not-there": {
    id: "FL0316",
    code: "not_found",
    cause: "The engine has no such container, network or volume",
    remedy: "see `fairlead ps -A`",
  },
  "still-in-use": {
    id: "FL0317",
    code: "unavailable",
    cause:
      "A container still uses the network or volume, or the engine has not let go of one that did",
    remedy: "remove the container that uses it; Fairlead tries again by itself",
  },
  "endpoints-miscounted": {
    id: "FL0318",
    code: "unavailable",
    cause:
      "The engine lost count when many containers left the network at once: it holds endpoints for it that it does not have",
    remedy: "restart the engine, which counts anew; Fairlead removes the network then by itself",
  },
});
