// SPDX-License-Identifier: Apache-2.0
// All that an agent may ask. What is not here is refused, whatever the engine would make of it.
import type { Call } from "./call.ts";
import {
  actOnContainer,
  createContainer,
  inspectContainer,
  listContainers,
  lookAtContainer,
  pruneContainers,
  readArchive,
  removeContainer,
  renameContainer,
  updateContainer,
  writeArchive,
} from "./container-calls.ts";
import { attachContainer, openExec } from "./hijack.ts";
import {
  askEngine,
  createExec,
  followEvents,
  inspectExec,
  listImages,
  lookAtImage,
  resizeExec,
  startExec,
} from "./other-calls.ts";

/** Answers a call: with its status when it only read, with nothing when it recorded itself. */
export type Handler = (call: Call) => Promise<number | void>;

export interface Route {
  readonly method: string;
  /** `{id}` is one segment, `{image}` as many as it takes. */
  readonly path: string;
  readonly handle: Handler;
}

const route = (method: string, path: string, handle: Handler): Route => ({ method, path, handle });
const ONE = "/containers/{id}";

/** Calls with an answer of their own. */
export const ROUTES: readonly Route[] = [
  route("GET", "/_ping", askEngine("GET", "_ping")),
  route("HEAD", "/_ping", askEngine("HEAD", "_ping")),
  route("GET", "/version", askEngine("GET", "version")),
  route("GET", "/events", followEvents),
  route("GET", "/images/json", listImages),
  route("GET", "/images/{image}/json", lookAtImage("json")),
  route("GET", "/images/{image}/history", lookAtImage("history")),
  route("GET", "/containers/json", listContainers),
  route("POST", "/containers/create", createContainer),
  route("POST", "/containers/prune", pruneContainers),
  route("DELETE", ONE, removeContainer),
  route("GET", `${ONE}/json`, inspectContainer),
  route("POST", `${ONE}/update`, updateContainer),
  route("POST", `${ONE}/rename`, renameContainer),
  route("POST", `${ONE}/exec`, createExec),
  route("POST", `${ONE}/attach`, attachContainer),
  ...["start", "stop", "restart", "kill", "pause", "unpause"].map((verb) =>
    route("POST", `${ONE}/${verb}`, actOnContainer(verb)),
  ),
  ...["top", "logs", "stats", "changes", "export"].map((what) =>
    route("GET", `${ONE}/${what}`, lookAtContainer("GET", what)),
  ),
  ...["wait", "resize"].map((what) =>
    route("POST", `${ONE}/${what}`, lookAtContainer("POST", what)),
  ),
  route("GET", `${ONE}/archive`, readArchive("GET")),
  route("HEAD", `${ONE}/archive`, readArchive("HEAD")),
  route("PUT", `${ONE}/archive`, writeArchive),
  route("GET", "/exec/{id}/json", inspectExec),
  route("POST", "/exec/{id}/start", startExec),
  route("POST", "/exec/{id}/resize", resizeExec),
];

/** Calls that take their connection over. */
export const TAKEOVERS: readonly Route[] = [
  route("POST", `${ONE}/attach`, attachContainer),
  route("POST", "/exec/{id}/start", openExec),
];

/** Why, for what people try first. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^POST \/(build|session|grpc)$/, "images are built by people, not by agents"],
  [/^POST \/images\/create$/, "images are pulled by people: fairlead pulls what a file names"],
  [/^\w+ \/images/, "images are only read here"],
  [/\/attach\/ws$/, "attach is a POST here, with Upgrade: tcp"],
  [/^GET \/(info|system\/df)$/, "this would tell of the host"],
  [/^\w+ \/volumes/, "volumes with names are not for agents; use tmpfs or volumes without a name"],
  [/^\w+ \/networks/, "networks are the owner's: network= in the label fairlead.docker"],
];

/** Says why a call is refused. */
export function explainRefusal(method: string, path: string): string {
  const name = `${method} ${path}`;
  const known = REASONS.find(([form]) => form.test(name))?.[1];
  return known ?? `${name} is not among what an agent may ask`;
}

/** The route of a call and what stands in its place; undefined when there is none. */
export function findRoute(
  routes: readonly Route[],
  method: string,
  segments: readonly string[],
): { readonly route: Route; readonly place: string } | undefined {
  for (const one of routes) {
    if (one.method !== method) continue;
    const form = one.path.slice(1).split("/");
    const at = form.findIndex((part) => part.startsWith("{"));
    const more = segments.length - form.length;
    if (more < 0 || (more > 0 && form[at] !== "{image}")) continue;
    const placed = at === -1 ? [] : segments.slice(at, at + more + 1);
    const rest = at === -1 ? segments : segments.toSpliced(at, more + 1, form[at] ?? "");
    if (rest.join("/") === form.join("/")) return { route: one, place: placed.join("/") };
  }
  return undefined;
}
