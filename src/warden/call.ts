// SPDX-License-Identifier: Apache-2.0
// One request of an agent, and what its handler works with.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { FairleadError } from "#base/errors.ts";
import type { DockerLimits } from "#model/docker-limits.ts";
import { wardenErrors } from "./errors.ts";
import { isOwned, namePrefix } from "./owner.ts";
import { parseBody, readBytes } from "./parse-body.ts";
import type { Target } from "./parse-target.ts";
import type { Answer, Upstream } from "./upstream.ts";
import type { DockerAct, DockerOwner, DockerRecorder } from "./warden.ts";

/** What all calls of one socket share. */
export interface Desk {
  readonly owner: DockerOwner;
  readonly limits: DockerLimits;
  readonly upstream: Upstream;
  readonly recorder: DockerRecorder;
  /** One after the other: what counts containers before it makes one. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
}

export interface Call extends Desk {
  /** `POST /containers/{id}/start`. */
  readonly name: string;
  readonly target: Target;
  /** What stands in the place of `{id}`, `{image}`. */
  readonly place: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Aborts when the agent goes away; for what takes its time. Short questions are asked to their end. */
  readonly signal: AbortSignal;
}

/** A container of the agent's, as the engine describes it. */
export interface OwnContainer {
  readonly id: string;
  /** As the agent calls it. */
  readonly name: string;
  readonly document: Readonly<Record<string, unknown>>;
}

/** The path as the engine is asked, from parts that were checked. */
export function makePath(
  target: Target,
  segments: readonly string[],
  query?: URLSearchParams,
): string {
  const version = target.version === undefined ? "" : `/${target.version}`;
  const text = query === undefined ? "" : query.toString();
  return `${version}/${segments.join("/")}${text === "" ? "" : `?${text}`}`;
}

const SHOWN_HEADERS = [
  "content-type",
  "api-version",
  "docker-experimental",
  "ostype",
  "server",
  "x-docker-container-path-stat",
];

function copyHeaders(response: ServerResponse, headers: IncomingMessage["headers"]): void {
  for (const name of SHOWN_HEADERS) {
    const value = headers[name];
    if (value !== undefined) response.setHeader(name, value);
  }
}

/** Answers with what the engine said, its body replaced where one is given. */
export function answer(call: Call, { status, headers, text }: Answer, body?: unknown): number {
  const { response } = call;
  copyHeaders(response, headers);
  // As text it goes out with its head, in one write.
  const shown = body === undefined ? text : JSON.stringify(body);
  const isEmpty = status === 204 || status === 304;
  response.writeHead(status, isEmpty ? {} : { "content-length": Buffer.byteLength(shown) });
  response.end(isEmpty || call.request.method === "HEAD" ? undefined : shown);
  return status;
}

/** Passes an answer on as it comes, through `change` where one is given; ends with the shorter of both sides. */
export async function passOn(
  call: Call,
  message: IncomingMessage,
  change?: Transform,
): Promise<number> {
  const { response } = call;
  copyHeaders(response, message.headers);
  const status = message.statusCode ?? 502;
  response.writeHead(status);
  response.flushHeaders();
  const isGood = status < 300 && change !== undefined;
  const passing = isGood ? pipeline(message, change, response) : pipeline(message, response);
  await passing.catch(() => response.destroy());
  return status;
}

/** Reads a JSON body; throws FL1902. */
export async function readJson(call: Call): Promise<Readonly<Record<string, unknown>>> {
  return parseBody(await readBytes(call.request));
}

const ID_WHOLE = /^[0-9a-f]{64}$/;
const ID_PART = /^[0-9a-f]{2,64}$/;

async function inspect(call: Call, reference: string): Promise<OwnContainer | undefined> {
  const path = makePath(call.target, ["containers", reference, "json"]);
  const { status, text } = await call.upstream.ask({ method: "GET", path });
  if (status !== 200) return undefined;
  const document = JSON.parse(text) as Readonly<Record<string, unknown>>;
  const { Labels } = (document["Config"] ?? {}) as { readonly Labels?: unknown };
  if (!isOwned(Labels, call.owner)) return undefined;
  return {
    id: String(document["Id"]),
    name: showName(call.owner, String(document["Name"])),
    document,
  };
}

/** The agent's name of a container, from the engine's `/shop.researcher.tool`. */
export function showName(owner: DockerOwner, name: string): string {
  const bare = name.replace(/^\//, "");
  const prefix = namePrefix(owner);
  return bare.startsWith(prefix) ? bare.slice(prefix.length) : bare;
}

/** The container that the agent means, when it is its own. Throws FL1903, the same whether there is none or it is another's. */
export async function findOwn(call: Call, reference: string): Promise<OwnContainer> {
  const byName = ID_WHOLE.test(reference)
    ? undefined
    : await inspect(call, `${namePrefix(call.owner)}${reference}`);
  const found = byName ?? (ID_PART.test(reference) ? await inspect(call, reference) : undefined);
  if (found !== undefined) return found;
  throw new FairleadError(
    wardenErrors["docker-no-such"],
    `No such container: ${reference} (only those that ${call.owner.service} made are here)`,
  );
}

/** Does what writes under a decision: it is recorded before, and how it ended after. */
export async function actUnder(
  call: Call,
  about: Pick<DockerAct, "title" | "object"> & Partial<DockerAct>,
  work: (decision: string) => Promise<{ readonly status: number; readonly because?: string }>,
): Promise<void> {
  const act: DockerAct = { call: call.name, inputs: {}, ...about };
  const decision = await call.recorder.begin(call.owner, act);
  try {
    const { status, because = "" } = await work(decision);
    call.recorder.end(call.owner, decision, act, status, because);
  } catch (thrown) {
    const { message } = FairleadError.from(thrown);
    call.recorder.end(call.owner, decision, act, 502, message);
    throw thrown;
  }
}

/** What the engine said, when it refused. */
export function readReason({ status, text }: Answer): string {
  if (status < 400) return "";
  try {
    return String((JSON.parse(text) as { readonly message?: unknown }).message ?? "");
  } catch {
    return text.slice(0, 200);
  }
}
