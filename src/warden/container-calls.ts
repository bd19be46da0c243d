// SPDX-License-Identifier: Apache-2.0
// Calls about containers: those that only look, and those that act on one.
import { randomBytes } from "node:crypto";
import { formatSize } from "#base/size.ts";
import { OWN_LABELS } from "#model/facts.ts";
import {
  actUnder,
  answer,
  findOwn,
  makePath,
  passOn,
  readJson,
  readReason,
  showName,
  type Call,
} from "./call.ts";
import { checkCreate, checkUpdate } from "./check-container.ts";
import { deny } from "./deny.ts";
import { makeFilters, readFilters } from "./filters.ts";
import { limitBytes } from "./limit-bytes.ts";
import { isOwned, nameOwner, namePrefix } from "./owner.ts";
import { FLAG, KEYS, NUMBER, SIGNAL, takeQuery, TEXT, TIME } from "./parse-target.ts";

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/;
const PLATFORM = /^[a-z0-9/]{0,40}$/;

/** Containers as a list has them. */
interface Listed {
  readonly Names?: readonly string[];
  readonly Labels?: unknown;
}

async function listOwn(call: Call, query: URLSearchParams) {
  const path = makePath(call.target, ["containers", "json"], query);
  const got = await call.upstream.ask({ method: "GET", path });
  if (got.status !== 200) return { got, own: [] };
  const all = JSON.parse(got.text) as readonly Listed[];
  return { got, own: all.filter(({ Labels }) => isOwned(Labels, call.owner)) };
}

/** `GET /containers/json` */
export async function listContainers(call: Call): Promise<number> {
  const allowed = { all: FLAG, limit: NUMBER, size: FLAG, filters: TEXT };
  const query = takeQuery(call.target.query, allowed);
  const known = ["id", "name", "label", "status", "exited", "health", "ancestor"];
  query.set("filters", makeFilters(call.owner, readFilters(query.get("filters"), known)));
  const { got, own } = await listOwn(call, query);
  if (got.status !== 200) return answer(call, got);
  const shown = own.map((one) => ({
    ...one,
    Names: one.Names?.map((name) => `/${showName(call.owner, name)}`),
  }));
  return answer(call, got, shown);
}

/** `GET /containers/{id}/json` */
export async function inspectContainer(call: Call): Promise<number> {
  takeQuery(call.target.query, { size: FLAG });
  const { document, name } = await findOwn(call, call.place);
  const got = { status: 200, headers: { "content-type": "application/json" }, text: "" };
  return answer(call, got, { ...document, Name: `/${name}` });
}

async function countOwn(call: Call): Promise<number> {
  const filters = JSON.stringify({ label: [`${OWN_LABELS.agent}=${nameOwner(call.owner)}`] });
  const { own } = await listOwn(call, new URLSearchParams({ all: "1", filters }));
  return own.length;
}

/** `POST /containers/create` */
export async function createContainer(call: Call): Promise<void> {
  const { owner, limits } = call;
  const query = takeQuery(call.target.query, { name: NAME, platform: PLATFORM }, "ignored");
  const json = checkCreate(await readJson(call), owner, limits);
  const name = query.get("name") || randomBytes(6).toString("hex");
  query.set("name", `${namePrefix(owner)}${name}`);
  const path = makePath(call.target, ["containers", "create"], query);
  await call.inTurn(async () => {
    const count = await countOwn(call);
    if (count >= limits.countMax)
      deny(`there are ${count} containers, as many as there may be (count in fairlead.docker)`);
    const inputs = { image: String(json["Image"]), count: count + 1, countMax: limits.countMax };
    await actUnder(call, { title: `created ${name}`, object: name, inputs }, async (decision) => {
      const got = await call.upstream.ask({ method: "POST", path, json, decision });
      return { status: answer(call, got), because: readReason(got) };
    });
  });
}

/** What a call that acts on one container is made of. */
interface Verb {
  readonly title: string;
  readonly query: Readonly<Record<string, RegExp>>;
}

const VERBS: Readonly<Record<string, Verb>> = {
  start: { title: "started", query: { detachKeys: KEYS } },
  stop: { title: "stopped", query: { t: NUMBER, signal: SIGNAL } },
  restart: { title: "restarted", query: { t: NUMBER, signal: SIGNAL } },
  kill: { title: "killed", query: { signal: SIGNAL } },
  pause: { title: "paused", query: {} },
  unpause: { title: "resumed", query: {} },
};

/** `POST /containers/{id}/VERB`, without a body. */
export function actOnContainer(verb: string): (call: Call) => Promise<void> {
  const { title, query: allowed } = VERBS[verb] ?? deny(`there is no ${verb}`);
  return async (call) => {
    const query = takeQuery(call.target.query, allowed);
    const { id, name } = await findOwn(call, call.place);
    const path = makePath(call.target, ["containers", id, verb], query);
    await actUnder(call, { title: `${title} ${name}`, object: name }, async (decision) => {
      const got = await call.upstream.ask({ method: "POST", path, decision });
      return { status: answer(call, got), because: readReason(got) };
    });
  };
}

/** `DELETE /containers/{id}` */
export async function removeContainer(call: Call): Promise<void> {
  const query = takeQuery(call.target.query, { v: FLAG, force: FLAG });
  const { id, name } = await findOwn(call, call.place);
  const path = makePath(call.target, ["containers", id], query);
  await actUnder(call, { title: `removed ${name}`, object: name }, async (decision) => {
    const got = await call.upstream.ask({ method: "DELETE", path, decision });
    return { status: answer(call, got), because: readReason(got) };
  });
}

/** `POST /containers/{id}/update` */
export async function updateContainer(call: Call): Promise<void> {
  takeQuery(call.target.query, {});
  const json = checkUpdate(await readJson(call), call.limits);
  const { id, name } = await findOwn(call, call.place);
  const path = makePath(call.target, ["containers", id, "update"]);
  await actUnder(call, { title: `updated ${name}`, object: name }, async (decision) => {
    const got = await call.upstream.ask({ method: "POST", path, json, decision });
    return { status: answer(call, got), because: readReason(got) };
  });
}

/** `POST /containers/{id}/rename` */
export async function renameContainer(call: Call): Promise<void> {
  const to = takeQuery(call.target.query, { name: NAME }).get("name") ?? deny("it needs a name");
  const { id, name } = await findOwn(call, call.place);
  const query = new URLSearchParams({ name: `${namePrefix(call.owner)}${to}` });
  const path = makePath(call.target, ["containers", id, "rename"], query);
  const title = `renamed ${name} to ${to}`;
  await actUnder(call, { title, object: name }, async (decision) => {
    const got = await call.upstream.ask({ method: "POST", path, decision });
    return { status: answer(call, got), because: readReason(got) };
  });
}

const LOOKS: Readonly<Record<string, Readonly<Record<string, RegExp>>>> = {
  // The engine hands these words to the host's ps.
  top: { ps_args: /^(-ef|aux|-aux)?$/ },
  logs: {
    follow: FLAG,
    stdout: FLAG,
    stderr: FLAG,
    since: TIME,
    until: TIME,
    timestamps: FLAG,
    tail: /^(all|\d{0,9})$/,
    details: FLAG,
  },
  stats: { stream: FLAG, "one-shot": FLAG },
  changes: {},
  export: {},
  wait: { condition: /^(not-running|next-exit|removed)?$/ },
  resize: { h: NUMBER, w: NUMBER },
};

/** Calls that look at one container, or wait for it, however long it takes; and the size of its terminal. */
export function lookAtContainer(method: string, what: string): (call: Call) => Promise<number> {
  const allowed = LOOKS[what] ?? deny(`there is no ${what}`);
  return async (call) => {
    const query = takeQuery(call.target.query, allowed);
    const { id } = await findOwn(call, call.place);
    const path = makePath(call.target, ["containers", id, what], query);
    return passOn(call, await call.upstream.open({ method, path, signal: call.signal }));
  };
}

function refuseCopy(copyBytes: number): never {
  return deny(`a copy may have at most ${formatSize(copyBytes)} (copy in fairlead.docker)`);
}

const ARCHIVE = { path: TEXT, noOverwriteDirNonDir: FLAG, copyUIDGID: FLAG };

/** `GET` and `HEAD /containers/{id}/archive` */
export function readArchive(method: string): (call: Call) => Promise<number> {
  return async (call) => {
    const query = takeQuery(call.target.query, ARCHIVE);
    const { id } = await findOwn(call, call.place);
    const path = makePath(call.target, ["containers", id, "archive"], query);
    return passOn(call, await call.upstream.open({ method, path, signal: call.signal }));
  };
}

/** `PUT /containers/{id}/archive`: the one body that is not read, since it is what the container gets; but it has an end. */
export async function writeArchive(call: Call): Promise<void> {
  const query = takeQuery(call.target.query, ARCHIVE);
  const { request, signal } = call;
  const { copyBytes } = call.limits;
  if (Number(request.headers["content-length"] ?? 0) > copyBytes) refuseCopy(copyBytes);
  const { id, name } = await findOwn(call, call.place);
  const path = makePath(call.target, ["containers", id, "archive"], query);
  const copy = limitBytes(request, copyBytes);
  await actUnder(call, { title: `copied into ${name}`, object: name }, async (decision) => {
    const question = { method: "PUT", path, tar: copy.bytes, decision, signal };
    const message = await call.upstream.open(question).catch((thrown: unknown) => {
      if (copy.isOver()) refuseCopy(copyBytes);
      throw thrown;
    });
    return { status: await passOn(call, message) };
  });
}

/** `POST /containers/prune`: of its own alone. */
export async function pruneContainers(call: Call): Promise<void> {
  const query = takeQuery(call.target.query, { filters: TEXT });
  const asked = readFilters(query.get("filters"), ["label", "until"]);
  query.set("filters", makeFilters(call.owner, asked));
  const path = makePath(call.target, ["containers", "prune"], query);
  const about = { title: "removed stopped containers", object: "containers" };
  await actUnder(call, about, async (decision) => {
    const got = await call.upstream.ask({ method: "POST", path, decision });
    return { status: answer(call, got), because: readReason(got) };
  });
}
