// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Kinds of error of the api room. */
export const apiErrors = defineErrors({
  "plaintext-refused": {
    id: "FL0501",
    code: "permission_denied",
    cause: "Whoever reaches this API can start containers, which is as good as root on the host",
    remedy:
      "say which certificate (api.certFile, api.keyFile), or listen on 127.0.0.1 and forward: `ssh -L 7117:127.0.0.1:7117 HOST`, then `fairlead ui --show-url` there",
  },
  "port-in-use": {
    id: "FL0502",
    code: "failed_precondition",
    cause: "Another program listens on this address",
    remedy: "stop that program, or choose another port with FAIRLEAD_LISTEN=127.0.0.1:PORT",
  },
  "already-running": {
    id: "FL0503",
    code: "already_exists",
    cause: "A node answers on this socket already; two nodes would undo each other's work",
    remedy: "use the node that runs (`fairlead status`), or end it first (`fairlead node stop`)",
  },
  "cannot-listen": {
    id: "FL0504",
    code: "failed_precondition",
    cause: "The system refused to open the listening socket",
    remedy: "check that the directory exists and that this user may write there",
  },
  unauthenticated: {
    id: "FL0505",
    code: "unauthenticated",
    cause: "Over TCP the API asks for a token or a signed-in session, on loopback too",
    remedy: "open the link that `fairlead ui` prints, or send `Authorization: Bearer TOKEN`",
  },
  "link-spent": {
    id: "FL0506",
    code: "unauthenticated",
    cause: "A sign-in link works once and for ten minutes",
    remedy: "run `fairlead ui` for a new link",
  },
  "too-many-attempts": {
    id: "FL0507",
    code: "resource_exhausted",
    cause: "Too many wrong tokens or links in the last minute",
    remedy: "wait a minute; the unix socket is not affected",
  },
  "foreign-host": {
    id: "FL0508",
    code: "permission_denied",
    cause:
      "The Host header names another host: a web page may be trying to reach this node (DNS rebinding)",
    remedy: "use http://127.0.0.1 or http://localhost with the node's own port",
  },
  "foreign-origin": {
    id: "FL0509",
    code: "permission_denied",
    cause: "The request comes from a page that this node did not serve",
    remedy: "use the node's own page, or a token without a browser",
  },
  "no-such-route": {
    id: "FL0510",
    code: "not_found",
    cause: "The API has no such address; what it does not know it refuses",
    remedy: "see /v1/openapi.json or `fairlead capabilities`",
  },
  "method-not-allowed": {
    id: "FL0511",
    code: "unimplemented",
    cause: "The address exists, but not with this method",
    remedy: "use one of the methods named",
  },
  "bad-json": {
    id: "FL0512",
    code: "invalid_argument",
    cause: "The body is not one JSON document in UTF-8",
    remedy: "correct the JSON at the place named",
  },
  "body-too-deep": {
    id: "FL0513",
    code: "invalid_argument",
    cause: "The JSON nests deeper than any intent does",
    remedy: "send a document with fewer levels",
  },
  "body-too-large": {
    id: "FL0514",
    code: "resource_exhausted",
    cause: "The body is larger than this route takes",
    remedy: "send less; for builds, leave files out with .dockerignore or raise the limit",
  },
  "invalid-request": {
    id: "FL0515",
    code: "invalid_argument",
    cause: "The request does not have the form that /v1/openapi.json describes",
    remedy: "correct the value at the path named",
  },
  "unsupported-media-type": {
    id: "FL0516",
    code: "invalid_argument",
    cause: "The body is of a kind that this route does not read",
    remedy: "send it with the content type named in /v1/openapi.json",
  },
  "too-many-streams": {
    id: "FL0517",
    code: "resource_exhausted",
    cause: "As many event, log and usage streams are open as the node allows",
    remedy: "close a page or a `fairlead logs -f`, then try again",
  },
  "page-not-built": {
    id: "FL0518",
    code: "not_found",
    cause: "The files of the page are not there",
    remedy: "run `npm run setup` in the project's directory",
  },
  "bad-request": {
    id: "FL0519",
    code: "invalid_argument",
    cause: "The request is not well-formed HTTP",
    remedy: "correct the request line or headers",
  },
  "role-too-low": {
    id: "FL0521",
    code: "permission_denied",
    cause: "Each address of the API takes a role: viewer, operator or admin",
    remedy: "ask an admin of this node, who may change it: `fairlead user add NAME --role ROLE`",
  },
  "api-certificate": {
    id: "FL0523",
    code: "invalid_argument",
    cause: "api.certFile and api.keyFile are to be a certificate and its key, both PEM",
    remedy:
      "correct the files, or leave both settings empty: the node then makes a certificate itself",
  },
  "too-many-requests": {
    id: "FL0522",
    code: "resource_exhausted",
    cause: "One client asks more often than the node answers over TCP",
    remedy:
      "wait as long as retry-after says, or follow /v1/events instead of asking again and again",
  },
  "slow-request": {
    id: "FL0520",
    code: "deadline_exceeded",
    cause: "The body did not arrive in time",
    remedy: "send the request again",
  },
});
