// SPDX-License-Identifier: Apache-2.0
// Speaks to the node over its unix socket. What the schemas promise is taken on the word of `apiVersion`:
// checking it again would double the start-up time of every command.
import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import type { Readable } from "node:stream";
import type { Problem } from "@fairlead/protocol/views.ts";
import { baseErrors, FairleadError } from "#base/errors.ts";
import { cliErrors } from "./errors.ts";
import { type Envelope, VERSION_OF_API } from "./output.ts";

export type Query = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

export interface Call {
  readonly query?: Query;
  readonly body?: unknown;
  /** Sent as they come, instead of `body`. */
  readonly upload?: { readonly type: string; readonly content: Readable };
  readonly signal?: AbortSignal;
  /** Of a stream: go on after this event. */
  readonly lastEventId?: string | undefined;
  /** Of a stream: called when the node has accepted it, before its first message. */
  readonly onAnswer?: () => void;
}

export type Method = "GET" | "PUT" | "POST" | "DELETE";

/** Safe for concurrent use. Throws the node's own errors, FL0611 when none answers, FL0612 when it may not be asked. */
export interface ApiClient {
  call<T>(method: Method, path: string, call?: Call): Promise<T>;
  list<T>(path: string, query?: Query): Promise<Envelope<T>>;
  /** Messages of a stream, each a JSON document. */
  lines<T>(method: Method, path: string, call?: Call): AsyncIterable<T>;
}

function writeQuery(query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const one of typeof value === "object" ? value : [value]) search.append(name, String(one));
  }
  const text = search.toString();
  return text === "" ? "" : `?${text}`;
}

function convertFailure(thrown: Error, socket: string, signal: AbortSignal): FairleadError {
  if (signal.aborted)
    return new FairleadError(baseErrors.aborted, "interrupted", { cause: thrown });
  const code = "code" in thrown ? String(thrown.code) : "";
  const options = { cause: thrown, facts: { socket, because: thrown.message } };
  if (code === "EACCES" || code === "EPERM") {
    return new FairleadError(
      cliErrors["node-forbidden"],
      "may not open the node's socket",
      options,
    );
  }
  if (
    ["ENOENT", "ECONNREFUSED", "ENOTSOCK", "ENAMETOOLONG"].includes(code) ||
    /path/i.test(thrown.message)
  ) {
    return new FairleadError(cliErrors["node-unreachable"], "no node answers", options);
  }
  return new FairleadError(
    cliErrors["connection-lost"],
    "the connection to the node broke",
    options,
  );
}

/** The error that a problem document tells of. */
function convertProblem(problem: Problem): FairleadError {
  const { id, slug, cause, remedy } = problem;
  const code = problem.code in CODES ? (problem.code as keyof typeof CODES) : "internal";
  return new FairleadError({ id, slug, code, cause, remedy }, problem.detail, {
    facts: problem.facts,
    remedy,
    ...(problem.at === undefined ? {} : { location: omitUndefined(problem.at) }),
  });
}

function omitUndefined(at: NonNullable<Problem["at"]>) {
  return {
    file: at.file,
    ...(at.line === undefined ? {} : { line: at.line }),
    ...(at.column === undefined ? {} : { column: at.column }),
  };
}

const CODES: Readonly<Record<FairleadError["code"], true>> = {
  canceled: true,
  invalid_argument: true,
  deadline_exceeded: true,
  not_found: true,
  already_exists: true,
  permission_denied: true,
  resource_exhausted: true,
  failed_precondition: true,
  aborted: true,
  unimplemented: true,
  internal: true,
  unavailable: true,
  data_loss: true,
  unauthenticated: true,
};

function isProblem(value: unknown): value is Problem {
  return (
    typeof value === "object" &&
    value !== null &&
    "id" in value &&
    "slug" in value &&
    "detail" in value
  );
}

function parseAnswer<T>(text: string): T {
  try {
    const value: T = JSON.parse(text);
    return value;
  } catch (thrown) {
    throw new FairleadError(cliErrors["node-answer"], "the answer is not JSON", {
      cause: thrown,
      facts: { begins: text.slice(0, 60) },
    });
  }
}

async function readAll(response: IncomingMessage): Promise<string> {
  let text = "";
  response.setEncoding("utf8");
  for await (const chunk of response) text += String(chunk);
  return text;
}

async function refuse(response: IncomingMessage): Promise<FairleadError> {
  const answer = parseAnswer<unknown>(await readAll(response));
  if (isProblem(answer)) return convertProblem(answer);
  return new FairleadError(cliErrors["node-answer"], `the node answered ${response.statusCode}`);
}

async function* splitLines(response: IncomingMessage): AsyncGenerator<string> {
  let rest = "";
  response.setEncoding("utf8");
  for await (const chunk of response) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    yield* lines.filter((line) => line !== "");
  }
  if (rest !== "") yield rest;
}

/** Which node is asked, and as whom. */
export interface ApiAddress {
  /** Path of its unix socket. */
  readonly socket: string;
  /** Who shows a user's token is that user, on the unix socket too. */
  readonly token?: string | undefined;
  /** Why it is not known which node is meant: every call throws it. */
  readonly problem?: FairleadError;
}

/** A client of a node; every call ends when `signal` aborts. */
export function createApiClient(
  { socket, token, problem }: ApiAddress,
  signal: AbortSignal,
): ApiClient {
  async function open(
    method: Method,
    path: string,
    call: Call,
    accept: string,
  ): Promise<IncomingMessage> {
    if (problem !== undefined) throw problem;
    const ending = call.signal === undefined ? signal : AbortSignal.any([signal, call.signal]);
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const type = call.upload?.type ?? (body === undefined ? undefined : "application/json");
    // Loaded here, since some commands ask no node; and not by `import`, which reads all that the module exports and so loads
    // a client for WebSockets too: that would take as long as all else that a command does.
    const { request: httpRequest } = process.getBuiltinModule("node:http");
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        path: `/v1/${path}${writeQuery(call.query ?? {})}`,
        method,
        signal: ending,
        // Without an agent: it has nothing to keep, and costs as much as the request.
        createConnection: () => connect(socket),
        headers: {
          accept,
          host: "localhost",
          ...(token === undefined || token === "" ? {} : { authorization: `Bearer ${token}` }),
          ...(type === undefined ? {} : { "content-type": type }),
          ...(call.lastEventId === undefined ? {} : { "last-event-id": call.lastEventId }),
          ...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) }),
        },
      });
      request.on("response", resolve);
      request.on("error", (thrown) => reject(convertFailure(thrown, socket, ending)));
      if (call.upload === undefined) return void request.end(body);
      call.upload.content.on("error", (thrown) => request.destroy(thrown));
      call.upload.content.pipe(request);
    });
  }

  async function call<T>(method: Method, path: string, options: Call = {}): Promise<T> {
    const response = await open(method, path, options, "application/json");
    if ((response.statusCode ?? 500) >= 400) throw await refuse(response);
    try {
      return parseAnswer<T>(await readAll(response));
    } catch (thrown) {
      if (thrown instanceof FairleadError || !(thrown instanceof Error)) throw thrown;
      throw convertFailure(thrown, socket, signal);
    }
  }

  async function* lines<T>(method: Method, path: string, options: Call = {}): AsyncGenerator<T> {
    const response = await open(method, path, options, "application/x-ndjson");
    if ((response.statusCode ?? 500) >= 400) throw await refuse(response);
    options.onAnswer?.();
    const ending =
      options.signal === undefined ? signal : AbortSignal.any([signal, options.signal]);
    try {
      for await (const line of splitLines(response)) {
        const message = parseAnswer<T | { problem: Problem }>(line);
        if (
          typeof message === "object" &&
          message !== null &&
          "problem" in message &&
          isProblem(message.problem)
        )
          throw convertProblem(message.problem);
        yield message as T;
      }
    } catch (thrown) {
      if (thrown instanceof FairleadError || !(thrown instanceof Error)) throw thrown;
      throw convertFailure(thrown, socket, ending);
    } finally {
      response.destroy();
    }
  }

  return {
    call,
    lines,
    async list<T>(path: string, query: Query = {}) {
      const answer = await call<Envelope<T>>("GET", path, { query });
      if (answer.apiVersion === VERSION_OF_API && Array.isArray(answer.items)) return answer;
      throw new FairleadError(
        cliErrors["node-answer"],
        "the answer is not a list of this API version",
        {
          facts: { "its version": String(answer.apiVersion), wanted: VERSION_OF_API },
        },
      );
    },
  };
}
