// SPDX-License-Identifier: Apache-2.0
// The sockets: a unix socket whose mode decides who may, and TCP: in plain text on loopback alone, else with TLS.
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { chmod, lstat, unlink } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect, isIP, isIPv4 } from "node:net";
import { hostname } from "node:os";
import { Server as TlsServer, type SecureContextOptions } from "node:tls";
import { getRequestListener } from "@hono/node-server";
import { FairleadError } from "#base/errors.ts";
import type { Channel } from "./channel.ts";
import { apiErrors } from "./errors.ts";
import { respondWithProblem } from "./problems.ts";
import type { ApiLimits } from "./settings.ts";

/** Longest path that fits into a unix socket address of Linux. */
const SOCKET_PATH_BYTES_MAX = 107;
const SOCKET_MODE = 0o660;

export type Answer = (request: Request, env: object) => Response | Promise<Response>;

/** A certificate with all that leads to who is believed, and its key. Both PEM. */
export interface ApiTls {
  readonly certificate: string;
  readonly key: string;
}

/** Where a TCP listener ended up. */
export interface TcpAddress {
  readonly host: string;
  readonly port: number;
  /** `http://127.0.0.1:7117` */
  readonly origin: string;
}

/** A listener that is open. */
export interface TcpListener extends TcpAddress {
  /** Shows another certificate to who connects from now on; throws FL0523 for what is none, and keeps the one there was. */
  replaceTls(tls: ApiTls): void;
}

const MIN_VERSION = "TLSv1.3";

/** Throws FL0523 for what is no certificate with its key. */
function useTls<T>({ certificate, key }: ApiTls, use: (parts: SecureContextOptions) => T): T {
  try {
    return use({ cert: certificate, key, minVersion: MIN_VERSION });
  } catch (cause) {
    const because = cause instanceof Error ? cause.message : String(cause);
    throw new FairleadError(
      apiErrors["api-certificate"],
      "the API's certificate and its key cannot be used",
      { cause, facts: { because } },
    );
  }
}

function openTls(times: object, tls: ApiTls): Server {
  return useTls(tls, (parts) => createTlsServer({ ...times, ...parts, handshakeTimeout: 10_000 }));
}

/** Lets a server of `createListener` with TLS show another certificate. Throws FL0523. */
export function replaceTls(server: Server, tls: ApiTls): void {
  if (server instanceof TlsServer) useTls(tls, (parts) => server.setSecureContext(parts));
}

/** A server for one channel; the channel of a TCP listener is known only once it listens. */
export function createListener(
  answer: Answer,
  channel: () => Channel,
  limits: ApiLimits,
  tls?: ApiTls,
): Server {
  const listener = getRequestListener(
    (request, env) => answer(request, { ...env, channel: channel() }),
    {
      overrideGlobalObjects: false,
      // Before any route: a Host header or request line that makes no URL.
      errorHandler: () =>
        respondWithProblem(
          new FairleadError(apiErrors["bad-request"], "the request has no valid address or host"),
        ),
    },
  );
  const times = {
    headersTimeout: 10_000,
    // Builds take long to send; JSON bodies have a limit of their own, bodyTimeMs.
    requestTimeout: 0,
    keepAliveTimeout: 5_000,
    maxHeaderSize: 16_384,
  };
  const server = tls === undefined ? createServer(times) : openTls(times, tls);
  server.maxConnections = limits.connectionsMax;
  server.on("request", (incoming, outgoing) => void listener(incoming, outgoing));
  return server;
}

/** Whether an address is reached from this host alone. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}

async function awaitListening(server: Server): Promise<void> {
  // `once` rejects with the server's "error".
  await once(server, "listening");
}

function readErrorCode(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
}

/** What people call an address: one that stands for all is not one to go to. */
function nameForPeople(literal: string): string {
  if (literal === "0.0.0.0" || literal === "::") return hostname();
  return literal.includes(":") ? `[${literal}]` : literal;
}

/** Listens. Throws FL0501 for any other address than loopback without TLS, FL0502, FL0504. */
export async function listenOnTcp(
  server: Server,
  { host, port, isSecure = false }: { host: string; port: number; isSecure?: boolean },
): Promise<TcpAddress> {
  if (!isLoopback(host) && !isSecure) {
    throw new FairleadError(
      apiErrors["plaintext-refused"],
      `will not listen on ${host}: only loopback is served without TLS`,
      { facts: { address: `${host}:${port}` } },
    );
  }
  // Not left to a resolver: "localhost" may mean anything there.
  const literal = host === "localhost" ? "127.0.0.1" : host;
  try {
    server.listen({ host: literal, port, exclusive: true });
    await awaitListening(server);
  } catch (thrown) {
    const busy = readErrorCode(thrown) === "EADDRINUSE";
    throw new FairleadError(
      busy ? apiErrors["port-in-use"] : apiErrors["cannot-listen"],
      `cannot listen on ${literal}:${port}`,
      { cause: thrown, facts: { address: `${literal}:${port}`, system: readErrorCode(thrown) } },
    );
  }
  const address = server.address();
  const actual = typeof address === "object" && address !== null ? address.port : port;
  const scheme = isSecure ? "https" : "http";
  return { host: literal, port: actual, origin: `${scheme}://${nameForPeople(literal)}:${actual}` };
}

/** Whether a Host header names this address: with TLS all that its certificate names, which no other page's name can be. */
export function createHostCheck(
  address: TcpAddress,
  tls: ApiTls | undefined,
): (host: string) => boolean {
  const hosts = listHosts(address);
  if (tls === undefined) return (host) => hosts.has(host);
  const certificate = useTls(tls, ({ cert }) => new X509Certificate(String(cert)));
  return (host) => {
    const [, name = "", port = "443"] = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(host) ?? [];
    if (Number(port) !== address.port) return false;
    const bare = name.replace(/^\[|\]$/g, "");
    const found = isIP(bare) === 0 ? certificate.checkHost(bare) : certificate.checkIP(bare);
    return found !== undefined;
  };
}

/** What a Host header may say on this address. */
function listHosts({ host, port }: TcpAddress): ReadonlySet<string> {
  const names = ["127.0.0.1", "localhost", "[::1]", host.includes(":") ? `[${host}]` : host];
  return new Set(
    names.flatMap((name) => (port === 80 ? [name, `${name}:80`] : [`${name}:${port}`])),
  );
}

async function isAnswered(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Removes what a node that was killed left behind. Throws FL0503 when a node answers, FL0504 for other files. */
async function clearSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new FairleadError(apiErrors["cannot-listen"], `${path} is a file, not a socket`, {
      facts: { path },
    });
  }
  if (await isAnswered(path)) {
    throw new FairleadError(apiErrors["already-running"], `another process answers on ${path}`, {
      facts: { path },
    });
  }
  await unlink(path);
}

/** Listens on a unix socket that its owner and group may use. Throws FL0503, FL0504. */
export async function listenOnUnix(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
    throw new FairleadError(apiErrors["cannot-listen"], `the path of the socket is too long`, {
      facts: { path, "bytes at most": SOCKET_PATH_BYTES_MAX },
      remedy: "choose a shorter directory",
    });
  }
  await clearSocket(path);
  try {
    server.listen(path);
    await awaitListening(server);
    await chmod(path, SOCKET_MODE);
  } catch (thrown) {
    throw new FairleadError(apiErrors["cannot-listen"], `cannot listen on ${path}`, {
      cause: thrown,
      facts: { path, system: readErrorCode(thrown) },
    });
  }
}
