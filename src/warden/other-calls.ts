// SPDX-License-Identifier: Apache-2.0
// Calls that are not about one container: who the engine is, images, events, and what runs inside of a container.
import { Transform } from "node:stream";
import {
  actUnder,
  answer,
  findOwn,
  makePath,
  passOn,
  readJson,
  readReason,
  type Call,
} from "./call.ts";
import { checkExec, checkExecStart } from "./check-container.ts";
import { deny } from "./deny.ts";
import { makeFilters, readFilters } from "./filters.ts";
import { isAllowedImage, parseReference } from "./image-names.ts";
import { isOwned, namePrefix } from "./owner.ts";
import { FLAG, NUMBER, takeQuery, TEXT, TIME } from "./parse-target.ts";
import type { DockerOwner } from "./warden.ts";

/** `GET` and `HEAD /_ping`, `GET /version` */
export function askEngine(method: string, what: string): (call: Call) => Promise<number> {
  return async (call) => {
    takeQuery(call.target.query, {});
    const path = makePath(call.target, [what]);
    return answer(call, await call.upstream.ask({ method, path }));
  };
}

interface ListedImage {
  readonly RepoTags?: readonly string[] | null;
}

/** `GET /images/json`: those that the agent may use, under the names by which it may. */
export async function listImages(call: Call): Promise<number> {
  const query = takeQuery(call.target.query, { all: FLAG, filters: TEXT, digests: FLAG });
  const filters = readFilters(query.get("filters"), ["reference", "label"]);
  query.set("filters", JSON.stringify(Object.fromEntries(filters)));
  const path = makePath(call.target, ["images", "json"], query);
  const got = await call.upstream.ask({ method: "GET", path });
  if (got.status !== 200) return answer(call, got);
  const shown = (JSON.parse(got.text) as readonly ListedImage[]).flatMap((image) => {
    const tags = (image.RepoTags ?? []).filter((tag) => isAllowedImage(tag, call.limits.images));
    return tags.length === 0 ? [] : [{ ...image, RepoTags: tags, RepoDigests: [] }];
  });
  return answer(call, got, shown);
}

/** `GET /images/{name}/json` and `/history` */
export function lookAtImage(what: string): (call: Call) => Promise<number> {
  return async (call) => {
    takeQuery(call.target.query, {});
    const reference = parseReference(call.place);
    if (reference === undefined || !isAllowedImage(reference.text, call.limits.images))
      return deny(`the image ${call.place} is not among ${call.limits.images.join(", ")}`);
    const path = makePath(call.target, ["images", reference.text, what]);
    return answer(call, await call.upstream.ask({ method: "GET", path }));
  };
}

const LINE_BYTES_MAX = 1024 * 1024;

interface EventLine {
  readonly Type?: unknown;
  readonly Actor?: { readonly Attributes?: unknown };
}

/** Lets through the events of the agent's containers alone, under the agent's names. */
function createEventFilter(owner: DockerOwner): Transform {
  let rest = "";
  const hidden = `"name":"${namePrefix(owner)}`;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const lines = (rest + chunk.toString("utf8")).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > LINE_BYTES_MAX) return done(new Error("an event has no end"));
      for (const line of lines.filter((one) => one.trim() !== "")) {
        const { Type, Actor } = JSON.parse(line) as EventLine;
        if (Type !== "container" || !isOwned(Actor?.Attributes, owner)) continue;
        this.push(`${line.replaceAll(hidden, '"name":"')}\n`);
      }
      done();
    },
  });
}

/** `GET /events` */
export async function followEvents(call: Call): Promise<number> {
  const query = takeQuery(call.target.query, { since: TIME, until: TIME, filters: TEXT });
  const asked = readFilters(query.get("filters"), ["type", "event", "label"]);
  if ((asked.get("type") ?? ["container"]).some((type) => type !== "container"))
    deny("events are of containers only");
  query.set("filters", makeFilters(call.owner, new Map([...asked, ["type", ["container"]]])));
  const path = makePath(call.target, ["events"], query);
  const message = await call.upstream.open({ method: "GET", path, signal: call.signal });
  return passOn(call, message, createEventFilter(call.owner));
}

/** `POST /containers/{id}/exec` */
export async function createExec(call: Call): Promise<void> {
  takeQuery(call.target.query, {});
  const json = checkExec(await readJson(call));
  const { id, name } = await findOwn(call, call.place);
  const path = makePath(call.target, ["containers", id, "exec"]);
  await actUnder(
    call,
    { title: `prepared a command in ${name}`, object: name },
    async (decision) => {
      const got = await call.upstream.ask({ method: "POST", path, json, decision });
      return { status: answer(call, got), because: readReason(got) };
    },
  );
}

const EXEC_ID = /^[0-9a-f]{64}$/;

/** The exec's document and its container, when that is the agent's. Throws FL1903. */
export async function findExec(call: Call) {
  if (!EXEC_ID.test(call.place)) deny("an exec is named by its whole id");
  const path = makePath(call.target, ["exec", call.place, "json"]);
  const got = await call.upstream.ask({ method: "GET", path });
  const id =
    got.status === 200 ? (JSON.parse(got.text) as { ContainerID?: unknown }).ContainerID : "";
  return { got, container: await findOwn(call, typeof id === "string" && id !== "" ? id : "none") };
}

/** `GET /exec/{id}/json` */
export async function inspectExec(call: Call): Promise<number> {
  takeQuery(call.target.query, {});
  return answer(call, (await findExec(call)).got);
}

/** `POST /exec/{id}/resize` */
export async function resizeExec(call: Call): Promise<number> {
  const query = takeQuery(call.target.query, { h: NUMBER, w: NUMBER });
  await findExec(call);
  const path = makePath(call.target, ["exec", call.place, "resize"], query);
  return answer(call, await call.upstream.ask({ method: "POST", path }));
}

/** `POST /exec/{id}/start` of one that is detached, or whose output alone is read. */
export async function startExec(call: Call): Promise<void> {
  takeQuery(call.target.query, {});
  const json = checkExecStart(await readJson(call));
  const { name } = (await findExec(call)).container;
  const path = makePath(call.target, ["exec", call.place, "start"]);
  const { signal } = call;
  await actUnder(call, { title: `ran a command in ${name}`, object: name }, async (decision) => ({
    status: await passOn(
      call,
      await call.upstream.open({ method: "POST", path, json, decision, signal }),
    ),
  }));
}
