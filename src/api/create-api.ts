// SPDX-License-Identifier: Apache-2.0
// The node's face: HTTP on a unix socket and on loopback.
import { once } from "node:events";
import type { Server } from "node:http";
import type { Clock } from "#base/clock.ts";
import { createApp } from "./app.ts";
import type { Channel } from "./channel.ts";
import {
  createListener,
  listenOnTcp,
  listenOnUnix,
  createHostCheck,
  type ApiTls,
  replaceTls,
  type TcpListener,
} from "./listeners.ts";
import type { ApiOptions, ApiParts } from "./parts.ts";
import { createRateLimit } from "./rate-limit.ts";
import { createFailureLimit, createSessions } from "./sessions.ts";
import { createStreams } from "./streams.ts";

export type { ApiOptions } from "./parts.ts";

/** Disposing ends every stream and closes every listener. */
export interface Api extends AsyncDisposable {
  /** Mode 0660; a socket left by a killed node is replaced. Throws FL0503, FL0504. */
  listenUnix(path: string): Promise<void>;
  /** Without TLS on loopback only; port 0 lets the system choose. Throws FL0501, FL0502, FL0504, FL0523. */
  listenTcp(host: string, port: number, tls?: ApiTls): Promise<TcpListener>;
  /** Open event, log, usage and build streams. */
  readonly streams: number;
}

/** How long a request in progress may take to end after its signal has aborted. */
const CLOSE_GRACE_MS = 1_000;

async function closeServer(server: Server, clock: Clock): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  server.closeIdleConnections();
  const done = new AbortController();
  const late = clock.sleep(CLOSE_GRACE_MS, done.signal).catch(() => undefined);
  await Promise.race([closed, late]);
  done.abort();
  server.closeAllConnections();
  await closed;
}

/** An API over `operations`; it listens nowhere yet. */
export function createApi(options: ApiOptions): Api {
  const { clock, logger, settings } = options;
  const closing = new AbortController();
  const servers: Server[] = [];
  let origin: string | undefined;
  const streams = createStreams(settings.limits, clock, closing.signal);
  const parts: ApiParts = {
    ...options,
    sessions: createSessions(settings.limits, clock),
    failures: createFailureLimit(settings.limits.failuresPerMinuteMax, clock),
    rates: createRateLimit(settings.limits, clock),
    streams,
    closing: closing.signal,
    pageOrigin: () => origin,
  };
  const app = createApp(parts);

  function open(channel: () => Channel, tls?: ApiTls): Server {
    const answer = (request: Request, env: object) => app.fetch(request, env);
    const server = createListener(answer, channel, settings.limits, tls);
    servers.push(server);
    return server;
  }

  return {
    async listenUnix(path) {
      await listenOnUnix(
        open(() => ({ kind: "unix" })),
        path,
      );
      logger.info("listening", { path });
    },
    async listenTcp(host, port, tls) {
      const isSecure = tls !== undefined;
      let channel: Channel = {
        kind: "tcp",
        isOwnHost: () => false,
        isSecure,
        origin: "",
        cookieName: "",
      };
      const server = open(() => channel, tls);
      const address = await listenOnTcp(server, { host, port, isSecure });
      const cookieName = `fairlead_${address.port}`;
      const enter = (shown: ApiTls | undefined): void => {
        const isOwnHost = createHostCheck(address, shown);
        channel = { kind: "tcp", isOwnHost, isSecure, origin: address.origin, cookieName };
      };
      enter(tls);
      origin ??= address.origin;
      logger.info("listening", { origin: address.origin });
      return {
        ...address,
        replaceTls(next) {
          replaceTls(server, next);
          enter(next);
        },
      };
    },
    get streams() {
      return streams.open;
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await Promise.all(servers.map((server) => closeServer(server, clock)));
    },
  };
}
