// SPDX-License-Identifier: Apache-2.0
// How a request came in.
import type { Role } from "@fairlead/protocol/access.ts";
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";

/** The listener a request came by. Over the unix socket the file's mode has already decided who may. */
export type Channel =
  | { readonly kind: "unix" }
  | {
      readonly kind: "tcp";
      /** Whether a Host header, in small letters, is `127.0.0.1:7117` or another name of it. */
      readonly isOwnHost: (host: string) => boolean;
      readonly isSecure: boolean;
      /** The URL that people are given, without a path. */
      readonly origin: string;
      /** Cookies do not keep ports apart, so the name does. */
      readonly cookieName: string;
    };

/** Who asks, and what they may. */
export interface Who {
  /** As decisions and the audit log name them. */
  readonly actor: string;
  readonly role: Role;
  /** Whom the node knows as a user; absent for who reaches the socket or has the node's own token. */
  readonly user?: string;
  readonly by: "unix" | "token" | "session";
}

export interface ApiEnv {
  Bindings: HttpBindings & { channel: Channel };
  Variables: {
    who: Who | undefined;
    /** The role that the route takes, for the audit log. */
    needs: Role | "nobody" | undefined;
    /** That this client asks too often stands in the audit log already. */
    isToldAlready: boolean | undefined;
  };
}

export type ApiContext = Context<ApiEnv>;
