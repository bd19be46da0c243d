// SPDX-License-Identifier: Apache-2.0
// How a request came in, and what every handler is given.
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import type { Caller, Operations } from "#control/operations.ts";
import type { FailureLimit, Sessions } from "./sessions.ts";
import type { ApiSettings } from "./settings.ts";
import type { Streams } from "./streams.ts";

/** The listener a request came by. Over the unix socket the file's mode has already decided who may. */
export type Channel =
  | { readonly kind: "unix" }
  | {
      readonly kind: "tcp";
      /** `127.0.0.1:7117` and its other names; what a Host header may say. */
      readonly hosts: ReadonlySet<string>;
      /** The URL that people are given, without a path. */
      readonly origin: string;
      /** Cookies do not keep ports apart, so the name does. */
      readonly cookieName: string;
    };

export interface ApiEnv {
  Bindings: HttpBindings & { channel: Channel };
  Variables: { actor: string };
}

export type ApiContext = Context<ApiEnv>;

/** Everything that the routes work with. */
export interface ApiParts {
  readonly operations: Operations;
  readonly settings: ApiSettings;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly sessions: Sessions;
  readonly failures: FailureLimit;
  readonly streams: Streams;
  /** Aborts when the API closes. */
  readonly closing: AbortSignal;
  /** The page's address, once a TCP listener is open. */
  pageOrigin(): string | undefined;
}

/** The caller of a request: its signal aborts when the client goes away or the API closes. */
export function createCaller(c: ApiContext, parts: ApiParts): Caller {
  return { actor: c.get("actor"), signal: AbortSignal.any([c.req.raw.signal, parts.closing]) };
}
